"""Why a customer got its probability: exact Shapley values of a formula, in words.

`churnstream.model.centring` defines them for sums, `churnstream.model.tree_effects` for trees. With
the mean log-odds of the training customers the effects of all fields add up to the log-odds.
"""

from collections.abc import Callable, Sequence
from math import isnan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.scan.scanned_events import columns_of, events_at
from churnstream.model.event_scorer import EventScorer
from churnstream.model.feature_table import Array
from churnstream.model.features import numbers
from churnstream.model.phrases import reason_writer
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.fields import known_values
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain

Explained = Literal["all", "top", "none"]
"""Which predictions get reasons: every one, those at or above the threshold, or none."""

MAX_REASONS = 3
DECIMALS = 4  # the fifth could not move a probability by more than 0.00002
_MAX_KEPT = 1 << 16  # of all fields together: 30 MB
_MAX_TEXT = 100  # characters of a value whose reason is kept; an open category may hold megabytes
Reasons = list[list[ReasonGiven] | None]
_Kept = dict[tuple[str, float], ReasonGiven]  # by value as text and effect


class Explainer:
    """Says what moved the predictions of a formula.

    Attributes:
        base: The mean log-odds of the training customers.
    """

    def __init__(self, scorer: EventScorer) -> None:
        self.base = scorer.base
        self._scorer = scorer
        self._writer = ReasonsWriter(scorer.schema)

    def effects(self, events: Sequence[Event]) -> dict[str, Array]:
        """The effect of each field in log-odds, (n,) each, to the last digit."""
        columns = columns_of(events, self._scorer.schema.fields)
        return self._scorer.effects(events) if columns is None else self._scorer.effects_of(columns)

    def reasons(
        self, events: Sequence[Event], says_yes: NDArray[np.bool_], explained: Explained
    ) -> Reasons:
        """The reasons of each event, strongest first; None where they are not wanted.

        A "Yes" is explained by what raises the risk most, a "No" by what lowers it most. There
        are always `MAX_REASONS`, or as many as there are fields: a weak one may point the other
        way, and says so.
        """
        return self._writer.of_wanted(events, self.effects, says_yes, explained)


class ReasonsWriter:
    """From effects to the strongest reasons; those of equal value and effect are made once.

    What is kept for that is bounded, in number and in length.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema, self._write = schema, reason_writer(schema)
        self._kept: dict[str, _Kept] = {name: {} for name in schema.fields}

    def of_wanted(
        self,
        events: Sequence[Event],
        effects_of: Callable[[Sequence[Event]], dict[str, Array]],
        says_yes: NDArray[np.bool_],
        explained: Explained,
    ) -> Reasons:
        """The reasons of the events that get some, None for the others.

        Args:
            effects_of: Asked for the effects of those alone.
        """
        rows = _wanted(says_yes, explained)
        found: Reasons = [None] * len(events)
        if rows:
            some = events_at(events, rows)
            written = self._strongest(some, effects_of(some), says_yes[rows])
            for row, reasons in zip(rows, written, strict=True):
                found[row] = reasons
        return found

    def _strongest(
        self,
        events: Sequence[Event],
        effects: dict[str, Array],
        says_yes: NDArray[np.bool_],
    ) -> list[list[ReasonGiven]]:
        """The reasons of each event, strongest first.

        Args:
            effects: By field, (n,).
            says_yes: Whether what raises the risk is looked for, or what lowers it, (n,).
        """
        names = list(effects)
        table = np.round(np.column_stack([effects[name] for name in names]), DECIMALS)
        signed = np.where(says_yes, -1, 1)[:, None] * table
        strongest = np.argsort(signed, axis=1, kind="stable")[:, :MAX_REASONS]
        chosen = np.take_along_axis(table, strongest, axis=1)
        found = np.empty(strongest.shape, dtype=np.object_)
        for number in np.unique(strongest).tolist():  # field by field, many rows at once
            mine = strongest == number
            shown = shown_values(self._schema, events, names[number], np.nonzero(mine)[0])
            found[mine] = self._of_field(names[number], shown, chosen[mine].tolist())
        listed: list[list[ReasonGiven]] = found.tolist()
        return listed

    def _of_field(
        self, name: str, shown: Sequence[str], effects: Sequence[float]
    ) -> list[ReasonGiven]:
        """The reasons of one field, for events with these values and effects of it."""
        kept = self._kept[name]
        keys = list(zip(shown, effects, strict=True))
        try:
            return list(map(kept.__getitem__, keys))
        except KeyError:
            new = {key: self._write(name, *key) for key in set(keys).difference(kept)}
            found = [kept.get(key) or new[key] for key in keys]
            self._keep(kept, new)
            return found

    def _keep(self, kept: "_Kept", new: "_Kept") -> None:
        if sum(map(len, self._kept.values())) + len(new) > _MAX_KEPT:
            for of_field in self._kept.values():
                of_field.clear()
        if len(new) <= _MAX_KEPT:
            kept |= {key: reason for key, reason in new.items() if len(key[0]) <= _MAX_TEXT}


def _wanted(says_yes: NDArray[np.bool_], explained: Explained) -> list[int]:
    """The rows of predictions that get reasons."""
    if explained == "all":
        return list(range(len(says_yes)))
    return np.flatnonzero(says_yes).tolist() if explained == "top" else []


def shown_values(
    schema: Schema, events: Sequence[Event], name: str, rows: NDArray[np.intp]
) -> list[str]:
    """What stands in a field, as reasons show it; of a date the days until the event.

    Args:
        rows: The events that are asked for.
    """
    columns = columns_of(events, schema.fields)
    if columns is not None and name in columns.words:
        known = [plain(value) or "" for value in known_values(schema.fields[name])]
        return [known[word] for word in columns.words[name][rows].tolist()]
    some = [events[row] for row in rows.tolist()] if columns is None else []
    if name in schema.numeric:
        found = numbers(schema, some, name) if columns is None else columns.numbers[name][rows]
        return ["" if isnan(amount) else "%.12g" % amount for amount in found.tolist()]  # noqa: UP031 - half the time
    values = list(map(schema.getter(name), some))
    if {*map(type, values)} == {str}:
        return values
    return [plain(value) or "" for value in values]

"""Why a customer got its probability: exact Shapley values of an additive model, and words.

A Shapley value shares out, fairly among the features, how far a prediction lies from the average
one: each feature gets what its value changes, averaged over every order in which the features
could become known, where an unknown one varies as it does among the training customers
[Lundberg & Lee 2017; "interventional" in Janzing et al. 2020]. In a sum of one term per feature
that change is the same in every order, so the value is no estimate but the centred term:

    effect of f = term of f for this customer - mean term of f over the training customers
    log-odds    = mean log-odds over the training customers + the effects of all features
"""

from collections.abc import Mapping, Sequence
from math import isnan
from operator import attrgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from churnstream.errors import ModelError
from churnstream.model.additive import Additive, Array, Combinations
from churnstream.model.features import numbers
from churnstream.model.phrases import reason_writer
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain

Explained = Literal["all", "top", "none"]
"""Which predictions get reasons: every one, those at or above the threshold, or none."""

MOST_REASONS = 3
DECIMALS = 4  # the fifth could not move a probability by more than 0.00002


class Explainer:
    """Says what moved the predictions of an additive model.

    Args:
        terms: The model.
        means: By feature, the mean of its term over the training customers.

    Attributes:
        base: The mean log-odds of the training customers.

    Raises:
        ModelError: The means are of other features than the terms.
    """

    def __init__(self, terms: Additive, means: Mapping[str, float]) -> None:
        if set(means) != {*terms.tables, *terms.curves}:
            raise ModelError("the mean terms in the model's manifest are not those of its features")
        self.base = terms.base + sum(means.values())
        self._terms, self._means = terms, means
        self._raising = _Strongest(terms, means, sign=1)
        self._lowering = _Strongest(terms, means, sign=-1)

    def effects(self, events: Sequence[Event]) -> dict[str, Array]:
        """The effect of each feature in log-odds, (n,) each, to the last digit."""
        terms = self._terms.terms(events)
        return {name: term - self._means[name] for name, term in terms.items()}

    def reasons(
        self, events: Sequence[Event], says_yes: NDArray[np.bool_], explained: Explained
    ) -> list[list[ReasonGiven] | None]:
        """The reasons of each event, strongest first; None where they are not wanted.

        A "Yes" is explained by what raises the risk most, a "No" by what lowers it most. There
        are always `MOST_REASONS`: a weak one may point the other way, and says so.
        """
        found: list[list[ReasonGiven] | None] = [None] * len(events)
        wanted = {
            "all": ((says_yes, self._raising), (~says_yes, self._lowering)),
            "top": ((says_yes, self._raising),),
            "none": (),
        }
        for which, strongest in wanted[explained]:
            rows = np.flatnonzero(which).tolist()
            for row, reasons in zip(rows, strongest([events[r] for r in rows]), strict=True):
                found[row] = reasons
        return found


class _Strongest:
    """The strongest reasons in one direction.

    Those of the categories are worked out once per combination; only the amounts, whose values
    hardly repeat, are looked at for each event.

    Args:
        sign: 1 for what raises the risk, -1 for what lowers it.
    """

    def __init__(self, terms: Additive, means: Mapping[str, float], sign: int) -> None:
        self._terms, self._means, self._sign = terms, means, sign
        self._reason = reason_writer(terms.schema)
        self._combinations = Combinations(self._of_combination)

    def __call__(self, events: Sequence[Event]) -> list[list[ReasonGiven]]:
        """The reasons of each event, strongest first."""
        combinations = map(self._terms.combination, events)
        found = list(map(self._combinations.__getitem__, combinations))
        bars = self._sign * np.array([reasons[-1].effect for reasons in found])
        for name, curve in self._terms.curves.items():
            column = numbers(self._terms.schema, events, name)
            effects = np.round(curve(column) - self._means[name], DECIMALS)
            rows = np.flatnonzero(self._sign * effects > bars)
            over = zip(rows.tolist(), column[rows].tolist(), effects[rows].tolist(), strict=True)
            for row, value, effect in over:
                reason = self._reason(name, "%.12g" % value, effect)  # noqa: UP031 - half the time
                found[row] = self._ranked([*found[row], reason])
        return found

    def _of_combination(self, combination: tuple[Any, ...]) -> list[ReasonGiven]:
        named = zip(self._terms.tables.items(), combination, strict=True)
        return self._ranked(
            [
                self._reason(
                    name,
                    plain(category) or "",
                    round(table[category] - self._means[name], DECIMALS),
                )
                for (name, table), category in named
            ]
        )

    def _ranked(self, reasons: list[ReasonGiven]) -> list[ReasonGiven]:
        return sorted(reasons, key=_effect, reverse=self._sign > 0)[:MOST_REASONS]


_effect = attrgetter("effect")


def shown_value(schema: Schema, event: Event, name: str) -> str:
    """What stands in a field, as a reason shows it; of a date the days until the event."""
    if name in schema.numeric:
        (number,) = numbers(schema, [event], name).tolist()
        return "" if isnan(number) else f"{number:.12g}"
    return plain(schema.getter(name)(event)) or ""

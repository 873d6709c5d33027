"""The customers of highest risk in a window, each listed once."""

from collections.abc import Sequence
from functools import lru_cache
from math import inf
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.schema.label_and_value import worth_of
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

TopCustomer = Any
"""A customer of high risk, by the riskiest event of the window: a Struct of `top_customer_type`."""

_MAX_SHOWN = 6
_Rank = tuple[float, float, str, int, int]


def shown_fields(schema: Schema) -> tuple[str, ...]:
    """The fields by which people know a customer: those of the segments, or else the first."""
    worth = [schema.value] if isinstance(schema.value, str) else []
    fields = [segment.field for segment in schema.breakdowns] or list(schema.fields)
    others = dict.fromkeys(name for name in fields if name not in worth)
    return (*list(others)[: _MAX_SHOWN - len(worth)], *worth)


@lru_cache(maxsize=16)
def top_customer_type(schema: Schema) -> type[msgspec.Struct]:
    """The type of the top customers.

    Attributes:
        (the id): Under the schema's name for it.
        churn_probability: 0 to 1.
        revenue_at_risk: Probability times monthly value, currency units a month; None where the
            schema has no value.
        (some fields): See `shown_fields`.
        source_partition: Where the event was read.
        source_offset: At which offset.
    """
    names = schema.attributes
    shown = shown_fields(schema)
    return msgspec.defstruct(
        "TopCustomer",
        [
            (names[schema.id], str),
            ("churn_probability", float),
            ("revenue_at_risk", float | None),
            *((names[name], Any) for name in shown),
            ("source_partition", int),
            ("source_offset", int),
        ],
        frozen=True,
        rename={names[name]: name for name in (schema.id, *shown)},
    )


class TopCustomers:
    """The K customers of highest risk so far, each by its riskiest event.

    Whoever drops out was beaten by K others, and the bar only rises: remembering K is enough.
    """

    def __init__(self, schema: Schema, k: int) -> None:
        self._schema, self._k = schema, k
        self._type = top_customer_type(schema)
        self._shown = [schema.attributes[name] for name in shown_fields(schema)]
        self._best: dict[str, tuple[_Rank, TopCustomer, Event]] = {}
        self._bar = -inf  # a probability below it cannot enter

    def add(
        self,
        events: Sequence[Event],
        probabilities: NDArray[np.float64],
        partitions: Sequence[int],
        offsets: Sequence[int],
    ) -> None:
        """Consider the events of a batch; all arguments have one length."""
        rows = np.flatnonzero(probabilities >= self._bar)
        for i in rows[np.argsort(-probabilities[rows])].tolist():
            probability = float(probabilities[i])
            if probability < self._bar:
                break
            self._consider(events[i], probability, (int(partitions[i]), int(offsets[i])))
            if len(self._best) >= 2 * self._k:  # the first rows raise the bar for the rest
                self._drop_all_but_k()
        self._drop_all_but_k()

    def _consider(self, event: Event, probability: float, source: tuple[int, int]) -> None:
        name, worth = self._schema.id_of(event), worth_of(self._schema, [event])
        value = 0.0 if worth is None else float(worth[0])
        # Ties are settled, so that batches cannot change the order.
        rank = (-probability, -value, name, *source)
        known = self._best.get(name)
        if known is None or rank < known[0]:
            at_risk = None if worth is None else probability * value
            shown = (getattr(event, attribute) for attribute in self._shown)
            customer = self._type(name, probability, at_risk, *shown, *source)
            self._best[name] = rank, customer, event

    def _drop_all_but_k(self) -> None:
        best = sorted(self._best.items(), key=lambda item: item[1][0])[: self._k]
        self._best = dict(best)
        if len(best) == self._k:
            self._bar = -best[-1][1][0][0] if best else inf

    def _sorted(self) -> list[tuple[_Rank, TopCustomer, Event]]:
        return sorted(self._best.values(), key=lambda one: one[0])

    def customers(self) -> list[TopCustomer]:
        """Highest risk first."""
        return [customer for _, customer, _ in self._sorted()]

    def events(self) -> list[Event]:
        """The event of each, in the same order."""
        return [event for _, _, event in self._sorted()]

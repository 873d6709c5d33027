"""Which fields the live page and the export show and filter by, and what they say of an event."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from churnstream.analysis.shown_columns import column_of, shown_columns
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.segments import segment_reader

_MAX_SEGMENTS = 4
_MAX_NUMBERS = 3
_MAX_WORTH = 1e12  # of one customer: beside more, a sum would lose the worth of the others


class Details(NamedTuple):
    """The part of an event that is shown.

    Attributes:
        segments: A name for each of `CustomerFields.segments`.
        numbers: A number for each of `CustomerFields.numbers`; NaN where it is missing.
    """

    segments: Sequence[str]
    numbers: Sequence[float]


class DetailColumns(NamedTuple):
    """The same of many events, in columns."""

    segments: list[list[str]]
    numbers: list[NDArray[np.float64]]


class CustomerFields:
    """What is shown of a customer besides the prediction.

    Attributes:
        segments: At most four, each of another field.
        numbers: Columns of at most three numeric fields, that of the customer's worth first.
        texts: Columns of the segments that are no bands of a number.
        listed: Those that the table of customers has room for: what is at risk tells the worth.
        in_money: Whether it is known what a customer is worth; if not, each counts as one.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        of_fields = {segment.field: segment for segment in schema.breakdowns}
        self.segments = tuple(of_fields.values())[:_MAX_SEGMENTS]
        self._readers = [segment_reader(schema, segment) for segment in self.segments]
        columns = shown_columns(schema)
        worth = [column_of(schema, schema.value)] if isinstance(schema.value, str) else []
        others = [c for c in columns if c.is_number and c not in worth]
        self.numbers = tuple([*worth, *others][:_MAX_NUMBERS])
        named = {segment.field for segment in self.segments}
        self.texts = tuple(c for c in columns if not c.is_number and c.field in named)
        self.listed = (*(c for c in self.numbers if c not in worth), *self.texts)
        self.in_money = schema.value is not None

    def read(self, events: Sequence[Event]) -> DetailColumns:
        """What events say, (n,) for each segment and each number."""
        segments = [reader(events) for reader in self._readers]
        found = [map(self.schema.getter(column.field), events) for column in self.numbers]
        numbers = [np.array(list(column), dtype=np.float64) for column in found]
        return DetailColumns(segments, numbers)  # None became NaN

    def worth(self, number: float) -> float:
        """What a customer counts at risk.

        Args:
            number: The first of its numbers, which is its worth where the schema names a field.
        """
        value = self.schema.value
        if value is None:
            return 1.0
        known = number if isinstance(value, str) else value
        return min(known, _MAX_WORTH) if known > 0 else 0.0  # no worth is known of NaN

    def worths(self, numbers: NDArray[np.float64]) -> NDArray[np.float64] | float:
        """The same for many."""
        if not isinstance(self.schema.value, str):
            return self.worth(0.0)
        found: NDArray[np.float64] = np.clip(np.nan_to_num(numbers, nan=0.0), 0, _MAX_WORTH)
        return found

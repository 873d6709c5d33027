"""Events of which the columns are known, and each of which is decoded when somebody looks at it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.scan.byte_texts import ByteTexts, Numbers
from churnstream.schema.fields import AnyField
from churnstream.schema.record_types import Event


class ScannedColumns(NamedTuple):
    """What was read of events without decoding them, (n,) each.

    Attributes:
        events: All of them.
        places: Where id and time begin and end in these, (n, 4).
        words: By field the numbers of its words, in the order of its values in the schema; where
            it may be missing, null is the last.
        numbers: By field.
        fields: Of the schema that they were read by.
    """

    events: ByteTexts
    places: Numbers
    words: Mapping[str, Numbers]
    numbers: Mapping[str, NDArray[np.float64]]
    fields: Mapping[str, AnyField]

    def take(self, rows: NDArray[np.intp]) -> "ScannedColumns":
        """Those of some rows."""
        return self._replace(
            places=self.places[rows],
            words={name: column[rows] for name, column in self.words.items()},
            numbers={name: column[rows] for name, column in self.numbers.items()},
        )


class ScannedEvents(Sequence[Any]):
    """A sequence of events.

    Args:
        values: The records' values, (n,).
        decode: Makes an event of one.
        columns: Of the rows that were scanned.
        scanned: Which rows these are, rising.
        decoded: The events of all other rows.
    """

    def __init__(
        self,
        values: Sequence[bytes],
        decode: Callable[[bytes], Event],
        columns: ScannedColumns,
        scanned: NDArray[np.intp],
        decoded: Mapping[int, Event],
    ) -> None:
        self.columns, self.scanned, self.decoded = columns, scanned, decoded
        self._values, self._decode = values, decode

    def __len__(self) -> int:
        """How many events."""
        return len(self._values)

    @overload
    def __getitem__(self, row: int) -> Event: ...

    @overload
    def __getitem__(self, row: slice) -> list[Event]: ...

    def __getitem__(self, row: int | slice) -> Event | list[Event]:
        """An event, decoded anew each time; of a slice a list."""
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        known = self.decoded.get(row)
        return self._decode(self._values[row]) if known is None else known

    def __iter__(self) -> Iterator[Event]:
        """All of them."""
        return map(self.__getitem__, range(len(self)))

    def take(self, rows: Sequence[int]) -> "ScannedEvents":
        """Those of some rows, rising."""
        number = np.full(len(self), -1, np.intp)  # among the scanned ones
        number[self.scanned] = np.arange(len(self.scanned))
        own = number[list(rows)]
        scanned = np.flatnonzero(own >= 0)
        return ScannedEvents(
            [self._values[row] for row in rows],
            self._decode,
            self.columns.take(own[scanned]),
            scanned,
            {new: self.decoded[old] for new, old in enumerate(rows) if old in self.decoded},
        )


def columns_of(events: Sequence[Event], fields: Mapping[str, AnyField]) -> ScannedColumns | None:
    """The columns of events that were all scanned, and by these fields; else None."""
    if not isinstance(events, ScannedEvents) or events.decoded or events.columns.fields != fields:
        return None
    return events.columns


def events_at(events: Sequence[Event], rows: Sequence[int]) -> Sequence[Event]:
    """The events of some rows, rising."""
    return events.take(rows) if isinstance(events, ScannedEvents) else [events[row] for row in rows]

"""What events said of their customers, until the prediction of each comes.

Only an event that was scored counts. One that the consumer rejected, for a category that its model
does not know, say, looks like any other from here: it is the prediction that tells.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from churnstream.analysis.customer_fields import CustomerFields, Details
from churnstream.dashboard.bounded_texts import short_name
from churnstream.escaping import printable
from churnstream.schema.record_types import Event
from churnstream.schema.segments import OTHER

_MAX_EVENTS = 2_000_000  # of all partitions
_MAX_TEXTS = 4096
_MAX_TEXT_LENGTH = 60


_HASH = 0xFFFF_FFFF  # 4 bytes, which nobody can choose: Python's hashes differ by process


class _HashedTexts:
    """Texts by their hash: those that were asked for, and the last few thousand others."""

    def __init__(self) -> None:
        self._recent: dict[int, str] = {}
        self._asked_for: dict[int, str] = {}

    def note(self, text: str) -> int:
        """The text's number."""
        number = hash(text) & _HASH
        if number not in self._recent:
            if len(self._recent) >= _MAX_TEXTS:
                self._recent.clear()
            self._recent[number] = printable(text, _MAX_TEXT_LENGTH)
        return number

    def find(self, number: int) -> str:
        """The text of a number; "other" if it was forgotten."""
        text = self._asked_for.get(number) or self._recent.get(number)
        if text is None:
            return OTHER
        if len(self._asked_for) < _MAX_TEXTS:
            self._asked_for[number] = text
        return text


class PendingEvents:
    """The last events of each partition, 12 bytes each, 4 for a segment and 8 for a number.

    Args:
        partitions: How many there are.
    """

    def __init__(self, fields: CustomerFields, partitions: int = 1) -> None:
        self._fields = fields
        self._segments = [f"segment {i}" for i in range(len(fields.segments))]
        self._numbers = [f"number {i}" for i in range(len(fields.numbers))]
        self._slot = np.dtype(
            [
                ("taken", "i8"),  # offset + 1: 0 is an empty slot
                ("name", "u4"),
                *((name, "u4") for name in self._segments),
                *((name, "f8") for name in self._numbers),
            ]
        )
        self._size = max(1000, _MAX_EVENTS // max(1, partitions))
        self._slots: dict[int, NDArray[np.void]] = {}
        self._texts = _HashedTexts()
        self._read: dict[int, int] = {}

    def put(self, partition: int, offsets: Sequence[int], events: Sequence[Event]) -> None:
        """Take note of what events of a partition say."""
        if partition not in self._slots:
            self._slots[partition] = np.zeros(self._size, self._slot)
        id_of, said = self._fields.schema.id_of, self._fields.read(events)
        at = np.asarray(offsets, np.int64)
        new = np.zeros(len(events), self._slot)
        new["taken"] = at + 1
        new["name"] = [hash(short_name(id_of(event))) & _HASH for event in events]
        for name, texts in zip(self._segments, said.segments, strict=True):
            numbers = {text: self._texts.note(text) for text in set(texts)}
            new[name] = [numbers[text] for text in texts]
        for name, column in zip(self._numbers, said.numbers, strict=True):
            new[name] = column
        self._slots[partition][at % self._size] = new

    def note_read(self, partition: int, offset: int) -> None:
        """Take note that a record was read, an event or not."""
        self._read[partition] = offset + 1

    def may_come(self, partition: int, offset: int) -> bool:
        """Whether the record of an offset is still to be read."""
        return offset >= self._read.get(partition, 0)

    def find(self, partition: int, offset: int, name: str) -> Details | None:
        """What the event of an offset says; None if it is not known, or is another customer's."""
        slots = self._slots.get(partition)
        if slots is None:
            return None
        taken, customer, *found = slots[offset % self._size].tolist()
        if (taken, customer) != (offset + 1, hash(name) & _HASH):
            return None
        count = len(self._segments)
        return Details(list(map(self._texts.find, found[:count])), found[count:])

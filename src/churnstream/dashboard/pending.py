"""What events said of their customers, until the prediction of each comes.

Only an event that was scored counts. One that the consumer rejected, for a category that its model
does not know, say, looks like any other from here: it is the prediction that tells.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from churnstream.dashboard.page_fields import Details, PageFields
from churnstream.dashboard.text_numbers import short_name
from churnstream.escaping import printable
from churnstream.schema.record_types import Event
from churnstream.schema.segments import OTHER

_MAX_EVENTS = 2_000_000  # of all partitions
_MAX_TEXTS = 4096
_MAX_TEXT_LENGTH = 60


def _hash(text: str) -> int:
    """A number of 4 bytes, which nobody can choose: Python's hashes differ by process."""
    return (hash(text) & 0xFFFF_FFFF) - 2**31


class _HashedTexts:
    """Texts by their hash: those that were asked for, and the last few thousand others."""

    def __init__(self) -> None:
        self._recent: dict[int, str] = {}
        self._asked_for: dict[int, str] = {}

    def note(self, text: str) -> int:
        """The text's number."""
        number = _hash(text)
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


class Pending:
    """The last events of each partition, 12 bytes each, 4 for a segment and 8 for a number.

    Args:
        partitions: How many there are.
    """

    def __init__(self, fields: PageFields, partitions: int = 1) -> None:
        self._fields = fields
        self._slot = np.dtype(
            [
                ("taken", "i8"),  # offset + 1: 0 is an empty slot
                ("name", "i4"),
                ("segments", "i4", (len(fields.segments),)),
                ("numbers", "f8", (len(fields.numbers),)),
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
        id_of, note = self._fields.schema.id_of, self._texts.note
        said = self._fields.read(events)
        new = np.zeros(len(events), self._slot)
        new["taken"] = np.asarray(offsets, np.int64) + 1
        new["name"] = [_hash(short_name(id_of(event))) for event in events]
        new["segments"] = [list(map(note, one.segments)) for one in said]
        new["numbers"] = [one.numbers for one in said]
        self._slots[partition][np.asarray(offsets, np.int64) % self._size] = new

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
        slot = slots[offset % self._size]
        if (slot["taken"], slot["name"]) != (offset + 1, _hash(name)):
            return None
        texts = [self._texts.find(number) for number in slot["segments"].tolist()]
        return Details(texts, slot["numbers"].tolist())

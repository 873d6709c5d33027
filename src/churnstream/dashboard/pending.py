"""What events said of their customers, until the prediction of each comes.

Only an event that was scored counts. One that the consumer rejected, for a category that its model
does not know, say, looks like any other from here: it is the prediction that tells.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from churnstream.dashboard.texts import OTHER, short_name
from churnstream.escaping import printable
from churnstream.schema.record_types import Event

_MOST = 2_000_000  # events, of all partitions
_MOST_TEXTS = 4096
_LONGEST_TEXT = 60
_LARGEST_CHARGES, _LONGEST_TENURE = 1e12, 2**31 - 1
_SLOT = np.dtype(
    [
        ("place", "i8"),  # offset + 1: 0 is an empty slot
        ("name", "i8"),
        ("contract", "i8"),
        ("internet", "i8"),
        ("charges", "f4"),
        ("tenure", "i4"),
    ]
)


class Details(NamedTuple):
    """The part of an event that the page shows."""

    contract: str
    internet: str
    charges: float
    tenure: int


class _Texts:
    """Texts by their hash: those that were asked for, and the last few thousand others."""

    def __init__(self) -> None:
        self._recent: dict[int, str] = {}
        self._asked_for: dict[int, str] = {}

    def note(self, text: str) -> int:
        """The text's number."""
        number = hash(text)
        if number not in self._recent:
            if len(self._recent) >= _MOST_TEXTS:
                self._recent.clear()
            self._recent[number] = printable(text, _LONGEST_TEXT)
        return number

    def find(self, number: int) -> str:
        """The text of a number; "other" if it was forgotten."""
        text = self._asked_for.get(number) or self._recent.get(number)
        if text is None:
            return OTHER
        if len(self._asked_for) < _MOST_TEXTS:
            self._asked_for[number] = text
        return text


class Pending:
    """The last events of each partition, 40 bytes each.

    Args:
        partitions: How many there are.
    """

    def __init__(self, partitions: int = 1) -> None:
        self._size = max(1000, _MOST // max(1, partitions))
        self._slots: dict[int, NDArray[np.void]] = {}
        self._texts = _Texts()
        self._read: dict[int, int] = {}

    def put(self, partition: int, offset: int, event: Event) -> None:
        """Take note of what an event says."""
        if partition not in self._slots:
            self._slots[partition] = np.zeros(self._size, _SLOT)
        self._slots[partition][offset % self._size] = (
            offset + 1,
            hash(short_name(event.customerID)),
            self._texts.note(event.Contract),
            self._texts.note(event.InternetService),
            min(event.MonthlyCharges, _LARGEST_CHARGES),
            min(event.tenure, _LONGEST_TENURE),
        )

    def note_read(self, partition: int, offset: int) -> None:
        """Take note that a record was read, an event or not."""
        self._read[partition] = offset + 1

    def may_come(self, partition: int, offset: int) -> bool:
        """Whether the record of a place is still to be read."""
        return offset >= self._read.get(partition, 0)

    def find(self, partition: int, offset: int, name: str) -> Details | None:
        """What the event of a place says; None if it is not known, or is another customer's."""
        slots = self._slots.get(partition)
        if slots is None:
            return None
        place, customer, contract, internet, charges, tenure = slots[offset % self._size].tolist()
        if (place, customer) != (offset + 1, hash(name)):
            return None
        texts = self._texts
        return Details(texts.find(contract), texts.find(internet), charges, tenure)

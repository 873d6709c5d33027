"""Many Avro values of one schema, read side by side: of each the same piece, in one step.

A step is a few calls of numpy for all of them, where reading one after the other takes as many of
Python for each. Bytes are trusted in nothing: nothing outside of the values is read, and one that
ends early, or holds what its schema does not allow, is left out in the end.

Source: the Avro specification, binary encoding.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_Found = TypeVar("_Found")

_MORE = 0x80  # in a byte of a number: others follow
_MAX_SHIFT = 63


class Spans(NamedTuple):
    """Where in the values' bytes a text stands, of each value.

    Attributes:
        begins: (n,)
        ends: (n,)
        there: Whether it stands there at all, (n,); None where it always does.
    """

    begins: Numbers
    ends: Numbers
    there: Flags | None = None


class AvroRows:
    """Values and how far each has been read.

    Args:
        values: Not empty, (n,).
        skipped: How many bytes stand before what is read, in each value.

    Attributes:
        bytes: All values, one behind the other.
        at: Where the reading of each stands, (n,).
        ends: Where each ends, (n,).
        is_read: Whether each is a value of the schema so far, (n,).
    """

    def __init__(self, values: Sequence[bytes], skipped: int) -> None:
        self.bytes = b"".join(values)
        self._data = np.frombuffer(self.bytes, np.uint8)
        self.ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        self.at = np.concatenate(([0], self.ends[:-1])) + skipped
        self.is_read: Flags = self.at <= self.ends

    def __len__(self) -> int:
        return len(self.at)

    def leave(self, odd: Flags) -> None:
        """Give some of them up; whatever is read of them from now on means nothing."""
        if odd.any():
            self.is_read &= ~odd

    def leave_unfinished(self) -> None:
        """Give up those that end too early or too late."""
        self.leave(self.at != self.ends)

    def byte(self) -> npt.NDArray[np.uint8]:
        """One byte of each."""
        # A reading may have run past the end; it is given up later, and reads what is there.
        found = self._data.take(self.at, mode="clip")
        self.at += 1
        return found

    def numbers(self) -> Numbers:
        """A whole number of each."""
        first = self.byte()
        if first.max() < _MORE:
            return (first >> 1).astype(np.int64) ^ -(first & 1).astype(np.int64)
        found = (first & (_MORE - 1)).astype(np.uint64)
        more = np.flatnonzero(first >= _MORE)
        for shift in range(7, _MAX_SHIFT + 1, 7):
            byte = self._data.take(self.at[more], mode="clip")
            self.at[more] += 1
            found[more] |= (byte & (_MORE - 1)).astype(np.uint64) << np.uint64(shift)
            if shift == _MAX_SHIFT:
                self.is_read[more[byte > 1]] = False  # over 64 bits
            more = more[byte >= _MORE]
        return (found >> np.uint64(1)).view(np.int64) ^ -(found & np.uint64(1)).view(np.int64)

    def texts(self) -> Spans:
        """A text of each, or bytes: a length, and as many bytes."""
        lengths = self.numbers()
        wrong = (lengths < 0) | (lengths > self.ends - self.at)
        if wrong.any():
            self.leave(wrong)
            lengths[wrong] = 0
            self.at[wrong] = self.ends[wrong]
        begins = self.at.copy()
        self.at += lengths
        return Spans(begins, self.at.copy())

    def pieces(self, texts: Spans) -> list[bytes]:
        """The texts themselves, (n,)."""
        places = zip(texts.begins.tolist(), texts.ends.tolist(), strict=True)
        return [self.bytes[begin:end] for begin, end in places]

    def are(self, texts: Spans, word: bytes) -> Flags:
        """Which of the texts are this word, (n,)."""
        found: Flags = texts.ends - texts.begins == len(word)
        where = texts.begins[found][:, None] + np.arange(len(word))
        found[found] = (self._data[where] == np.frombuffer(word, np.uint8)).all(axis=1)
        return found

    def floats(self, kind: str) -> npt.NDArray[np.float64]:
        """A number of each that has a point.

        Args:
            kind: As numpy writes it: `<f8` or `<f4`.
        """
        size = np.dtype(kind).itemsize
        found = self._data.take(self.at[:, None] + np.arange(size), mode="clip")
        self.at += size
        return found.view(kind)[:, 0].astype(np.float64)

    def skip(self, size: int) -> None:
        """Pass over as many bytes of each."""
        self.at += size

    def skip_number(self) -> None:
        """Pass over a whole number of each."""
        self.numbers()

    def skip_text(self) -> None:
        """Pass over a text of each."""
        self.texts()

    def of_those(self, which: Flags, read: Callable[["AvroRows"], _Found]) -> _Found:
        """What is read of some of them; the others stay where they are.

        Args:
            which: At least one of them, (n,).
        """
        part = object.__new__(AvroRows)
        part.bytes, part._data = self.bytes, self._data
        part.at, part.ends, part.is_read = self.at[which], self.ends[which], self.is_read[which]
        found = read(part)
        self.at[which], self.is_read[which] = part.at, part.is_read
        return found

"""Byte strings that lie one behind the other, also to be read eight bytes at a time."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

_EIGHT = 8

Numbers = NDArray[np.int64]


class ByteTexts(NamedTuple):
    """Some byte strings.

    Attributes:
        content: All of them, and eight more.
        eights: By position the eight bytes from there on, low ones first; the same memory.
        ends: Where each ends, from 0 on, (n + 1,).
    """

    content: NDArray[np.uint8]
    eights: NDArray[np.uint64]
    ends: Numbers

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Self:
        """Put them one behind the other."""
        ends = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=ends[1:])
        return cls(*in_eights(np.frombuffer(b"".join([*texts, bytes(_EIGHT)]), np.uint8)), ends)


def in_eights(content: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Bytes, and the same memory by eights from every position on."""
    size = len(content) - _EIGHT + 1
    eights: NDArray[np.uint64] = np.ndarray((size,), "<u8", buffer=content, strides=(1,))
    return content, eights

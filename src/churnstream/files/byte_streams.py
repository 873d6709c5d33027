"""Pieces of bytes: cut out a part of them, and read them like a file."""

from collections.abc import Generator, Iterator


def part(chunks: Iterator[bytes], begin: int, end: int | None) -> Iterator[bytes]:
    """The bytes from `begin` to before `end`, or to the last one."""
    position = 0
    for chunk in chunks:
        yield chunk[max(0, begin - position) : None if end is None else max(0, end - position)]
        position += len(chunk)
        if end is not None and position >= end:
            return


class ByteStream:
    """Reads pieces like a file, for pyarrow.

    Attributes:
        closed: Whether it was closed.
    """

    def __init__(self, chunks: Generator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes, fewer at the end only: a row may be as long as what is read."""
        pieces, held = [self._rest], len(self._rest)
        while held < size and (chunk := next(self._chunks, None)) is not None:
            pieces.append(chunk)
            held += len(chunk)
        together = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._rest = together[size:]
        return together[:size]

    def close(self) -> None:
        """Let go of what the pieces come from."""
        self.closed = True
        self._chunks.close()

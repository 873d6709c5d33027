"""How the rows of a text file are written: the delimiter, and where the header ends.

Own code, since the first rows are parsed anyway: by one of four delimiters they have equal lengths.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

from churnstream.files.charset import UTF_8
from churnstream.files.file_errors import FileError

_CANDIDATES = "\t|;,"  # the rarer one in names and texts first
_ROWS = 1_000
# A byte order mark, and Excel's hint in a line of its own.
_PREFACE = re.compile(r"\ufeff?(?:sep=(.)(?:\r\n|[\r\n]|\Z))?", re.IGNORECASE)
EMPTY = "is empty; it needs a header and a row for each customer"


class Dialect(NamedTuple):
    """What the beginning of a text file says of the rest.

    Attributes:
        names: The cells of the header.
        rows: The first rows behind it, those with another number of cells left out.
        begin: Bytes in UTF-8 before the first row.
    """

    delimiter: str
    names: list[str]
    rows: list[list[str]]
    begin: int


class _Lines:
    """The lines of a text, and how many characters of it were taken."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.taken += len(line)
            yield line


def dialect_of(head: bytes, delimiter: str | None, *, is_whole: bool) -> Dialect:
    """Read the beginning of a file, in UTF-8.

    Args:
        delimiter: The one that is declared; None: found out.
        is_whole: Whether the file has no more.

    Raises:
        FileError: There is no header.
    """
    text = head.decode(UTF_8, "surrogateescape")
    if not text.strip("\ufeff\r\n"):
        raise FileError(EMPTY)
    preface = _PREFACE.match(text)
    skipped, hint = (preface.end(), preface[1]) if preface else (0, None)
    text, before = text[skipped:], text[:skipped]
    delimiter = delimiter or hint or _sniffed(text, is_whole=is_whole)
    rows, header_end = _parsed(text, delimiter, is_whole=is_whole)
    if not rows:
        raise FileError(EMPTY if hint else "has a header without an end; is a quote never closed?")
    names = rows[0]
    begin = len((before + text[:header_end]).encode(UTF_8, "surrogateescape"))
    alike = [row for row in rows[1:] if len(row) == len(names)]
    return Dialect(delimiter, names, alike, begin)


def _parsed(text: str, delimiter: str, *, is_whole: bool) -> tuple[list[list[str]], int]:
    """The first rows that are not blank, and the characters up to the end of the first one."""
    lines, header_end = _Lines(text), 0
    rows: list[list[str]] = []
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            if row and not rows:
                header_end = lines.taken
            if row:
                rows.append(row)
            if len(rows) > _ROWS:
                return rows, header_end
    except csv.Error:  # a cell without an end
        return rows, header_end
    return (rows if is_whole else rows[:-1]), header_end


def _sniffed(text: str, *, is_whole: bool) -> str:
    """The candidate by which the most rows have as many cells as the header; "," if there is none.

    Of those by which all rows do, the one that is rarer in texts: `1,5;2,5` has two cells.
    """
    found: list[tuple[float, int, str]] = []
    for rank, candidate in enumerate(reversed(_CANDIDATES)):
        rows, _ = _parsed(text, candidate, is_whole=is_whole)
        if not rows or len(rows[0]) == 1:
            continue
        alike = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        found.append((alike, rank, candidate))
    return max(found)[2] if found else ","

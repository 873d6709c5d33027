"""The end of a text file: rows of blanks and a row of totals are no customers."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_KEPT = 64 * 1024  # bytes; the last row is one line and shorter
_TOTALS = {
    "average", "gesamt", "gesamtsumme", "grand total", "insgesamt", "mean", "mittelwert",
    "somme", "subtotal", "sum", "suma", "summe", "total", "total general", "totale", "totals",
    "zwischensumme",
}  # fmt: skip
_NO_TEXT = re.compile(
    r"[\s\d.,'\u2019%()+\-\u2013\u2014$€£¥]*|n/?a", re.IGNORECASE
)  # blank or a number


class Ending(NamedTuple):
    """How the rows end.

    Attributes:
        end: Bytes up to the end of the last customer, or None where nothing is left out.
        blank_rows: Left out behind it.
        totals: The first cell of the row of totals that is left out, or "".
        first_odd: The first piece that is not ASCII, as far as a character may reach.
    """

    end: int | None
    blank_rows: int
    totals: str
    first_odd: bytes

    def notes(self) -> list[str]:
        """What is left out, in words."""
        return left_out(self.blank_rows, self.totals)


def left_out(blank_rows: int, totals: str) -> list[str]:
    """What is left out at the end of a file, in words."""
    notes = []
    if totals:
        notes.append(f"the last row looks like a totals row ({totals!r}) and is left out")
    if blank_rows:
        rows = "a row" if blank_rows == 1 else f"{blank_rows:,} rows"
        notes.append(f"{rows} of blanks at the end {'is' if blank_rows == 1 else 'are'} left out")
    return notes


def is_totals(cells: Sequence[str]) -> bool:
    """Whether a row sums up the others: a word that says so, and otherwise numbers and blanks."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if len(filled) < 2 or filled[0].rstrip(":").strip().casefold() not in _TOTALS:  # noqa: PLR2004
        return False
    return all(_NO_TEXT.fullmatch(cell) for cell in filled[1:])


def totals_word(cells: Sequence[str]) -> str:
    """The word of a row of totals."""
    return next(cell.strip() for cell in cells if cell.strip())


def ending_of(chunks: Iterator[bytes], delimiter: str, width: int) -> Ending:
    """Look through the rows of a file for where the customers end.

    Args:
        chunks: The rows in UTF-8, without the header.
        width: Cells of a row.
    """
    tail = _Tail(b' \t\r\n"' + delimiter.encode())
    first_odd = b""
    for chunk in chunks:
        if not first_odd and not chunk.isascii():
            first_odd = chunk
        tail.add(chunk)
    end, blank_rows = tail.last_row_end(), tail.blank_rows()
    cells = tail.last_cells(delimiter)
    if end is None or len(cells) != width or not is_totals(cells) or not tail.drop_last():
        return Ending(end if blank_rows else None, blank_rows, "", first_odd)
    blank_rows += tail.blank_rows()
    return Ending(tail.last_row_end(), blank_rows, totals_word(cells), first_odd)


def _line_ends(text: bytes) -> int:
    return max(text.count(b"\n"), text.count(b"\r"))


class _Tail:
    """The last bytes that are not blank, and those behind them.

    Nothing is left out where it is not certain that a line is a row: where its quotes are odd, or
    it does not fit in here.
    """

    def __init__(self, blanks: bytes) -> None:
        self._blanks = blanks
        self._filled = b""  # the last of them, up to the last byte that is not blank
        self._filled_end = 0  # where in the file
        self._blank = b""  # the first of those behind
        self._blank_size = self._lines = self._quotes = 0  # of all behind

    def add(self, chunk: bytes) -> None:
        """Go on with the next piece."""
        filled = chunk.rstrip(self._blanks)
        if filled:
            is_gapless = self._blank_size == len(self._blank)
            before = self._filled + self._blank if is_gapless else b""
            self._filled_end += self._blank_size + len(filled)
            self._filled = (before + filled if len(filled) < _KEPT else filled)[-_KEPT:]
            self._blank, self._blank_size, self._lines, self._quotes = b"", 0, 0, 0
        behind = chunk[len(filled) :]
        self._blank_size += len(behind)
        if len(self._blank) < _KEPT:
            self._blank += behind[:_KEPT]
        self._lines += _line_ends(behind)
        self._quotes += behind.count(b'"')

    def _last_line(self) -> tuple[bytes, int] | None:
        """The last line that is not blank, and how much of it is in `_filled`."""
        found = re.search(rb"(?<=[\r\n])[^\r\n]+\Z", self._filled)
        begin = found.start() if found else 0
        if not self._filled or (not found and self._filled_end > len(self._filled)):
            return None
        line = self._filled[begin:] + re.split(rb"[\r\n]", self._blank, maxsplit=1)[0]
        if line.count(b'"') % 2 or self._quotes_behind() % 2:
            return None
        return line, len(self._filled) - begin

    def _quotes_behind(self) -> int:
        return self._quotes - re.split(rb"[\r\n]", self._blank, maxsplit=1)[0].count(b'"')

    def last_row_end(self) -> int | None:
        """Bytes up to the end of the last line that is not blank; None where it is not certain."""
        found = re.search(rb"\r\n|[\r\n]", self._blank)
        if not self._last_line() or not found:
            return None if not self._last_line() else self._filled_end + self._blank_size
        return self._filled_end + found.end()

    def blank_rows(self) -> int:
        """Lines behind the last one that is not blank, if any of them has more than its end."""
        first_end = re.search(rb"\r\n|[\r\n]", self._blank)
        if self.last_row_end() is None or not first_end:
            return 0
        behind = self._blank[first_end.end() :]
        if not behind.strip(b"\r\n") and self._blank_size == len(self._blank):
            return 0
        is_open = self._blank[-1:] not in b"\r\n" and self._blank_size == len(self._blank)
        return self._lines - 1 + is_open

    def last_cells(self, delimiter: str) -> list[str]:
        """The cells of the last line that is not blank."""
        found = self._last_line()
        if found is None:
            return []
        try:
            return next(csv.reader([found[0].decode("utf-8", "replace")], delimiter=delimiter), [])
        except csv.Error:
            return []

    def drop_last(self) -> bool:
        """Take the last line that is not blank for blank; whether one before it is certain."""
        found = self._last_line()
        if found is None:
            return False
        before = self._filled[: len(self._filled) - found[1]]
        filled = before.rstrip(self._blanks)
        if not filled:
            return False
        dropped = len(self._filled) - len(filled)
        self._blank = before[len(filled) :]
        self._filled, self._filled_end = filled, self._filled_end - dropped
        self._blank_size, self._quotes = len(self._blank), self._blank.count(b'"')
        self._lines = _line_ends(self._blank)
        return self.last_row_end() is not None

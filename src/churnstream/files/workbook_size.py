"""How much memory the sheets of a workbook take, by their XML: calamine reads them whole.

A sheet is held as a rectangle up to its last row and column: a file of 5 kB with a cell in
XFD1048576 would take 500 GB, and one long text that a million cells share a million times its
length.
"""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from churnstream.files.file_errors import FileError

_MAX_UNPACKED = 2**30  # bytes of all sheets
_MAX_CELLS = 25_000_000  # of a sheet; 32 bytes each
_MAX_TEXTS = 512 * 2**20  # bytes of all texts of a sheet
_PIECE = 2**20
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_PLACE = re.compile(rb"\sr\s*=\s*[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_SHARED = re.compile(rb"\st\s*=\s*[\"']s[\"'][^<>]*>\s*<(?:\w+:)?v\b[^<>]*>\s*(\d{1,9})")
_TEXT = re.compile(rb"<(?:\w+:)?si[\s>]")
_LONGEST_TAG = 256  # bytes of a cell up to its value: pieces overlap by it


def check_size(path: Path) -> None:
    """Reject a workbook that does not fit into memory.

    Raises:
        FileError: It unpacks to too much, or one of its sheets does.
        BadZipFile: It is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        parts = [part for part in archive.infolist() if part.filename.endswith((".xml", ".rels"))]
        unpacked, lengths = 0, np.zeros(0, np.int64)
        for part in sorted(parts, key=lambda part: "sharedStrings" not in part.filename):
            part.file_size = 2 * _MAX_UNPACKED  # what it says is not to be trusted
            with archive.open(part) as stream:
                if "sharedStrings" in part.filename:
                    size, lengths = _lengths(stream, _MAX_UNPACKED - unpacked)
                else:
                    size = _check_sheet(stream, lengths, _MAX_UNPACKED - unpacked)
            unpacked += size


def _pieces(stream: IO[bytes], room: int) -> Iterator[tuple[bytes, int]]:
    """The bytes of a part in pieces that overlap, and how many of each were there before."""
    carry, size = b"", 0
    while piece := stream.read(_PIECE):
        size += len(piece)
        if size > room:
            raise FileError(
                f"unpacks to more than {_MAX_UNPACKED:,} bytes, and workbooks are read whole; "
                "save its sheet as CSV"
            )
        yield carry + piece, len(carry)
        carry = (carry + piece)[-_LONGEST_TAG:]


def _lengths(stream: IO[bytes], room: int) -> tuple[int, NDArray[np.int64]]:
    """Bytes of the part, and of each text that cells share, at most."""
    begins, size = [], 0
    for piece, before in _pieces(stream, room):
        first = size - before
        begins += [first + found.start() for found in _TEXT.finditer(piece)]
        size += len(piece) - before
    distinct = np.unique(np.array([*begins, size], np.int64))
    return size, np.diff(distinct)


def _check_sheet(stream: IO[bytes], lengths: NDArray[np.int64], room: int) -> int:
    """The bytes of a part, which may be a sheet."""
    size = cells = places = texts = last_row = last_column = 0
    for piece, before in _pieces(stream, room):
        size += len(piece) - before
        cells += len(_CELL.findall(piece, before))
        found = _PLACE.findall(piece)
        places += len(found)
        if found:
            letters = max({letters for letters, _ in found}, key=lambda text: (len(text), text))
            last_column = max(last_column, _number(letters))
            last_row = max(last_row, *(int(row) for _, row in found))
        used = np.array(_SHARED.findall(piece), np.bytes_).astype(np.int64)
        texts += int(lengths[used[used < len(lengths)]].sum())
        if texts > _MAX_TEXTS:
            raise FileError("has a sheet with too much text for memory; save it as CSV")
    if last_row * last_column > _MAX_CELLS:
        raise FileError(
            f"has a sheet with {last_row:,} rows of {last_column:,} columns, more than fit into "
            "memory; delete what stands far below or right of the table, or save it as CSV"
        )
    if cells > places:
        raise FileError("has cells that do not say their place; open and save it with Excel")
    return size


def _number(letters: bytes) -> int:
    """The number of a column, 1 for A."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number

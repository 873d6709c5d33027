"""JSON Lines, one object a line, or one array of objects; nested ones are flattened with dots."""

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa

from churnstream.files.charset import UTF_8, as_utf_8, detect, in_words
from churnstream.files.compression import ByteSource
from churnstream.files.customer_file import FileTable
from churnstream.files.file_errors import FileError
from churnstream.files.file_form import FileForm
from churnstream.files.number_marks import marks_in_words, number_marks
from churnstream.files.parquet_file import MAX_ROW

_ROWS = 4_096  # at once, and fewer where they are long
_BATCH_BYTES = 4 * 2**20
_MAX_ARRAY = 256 * 2**20  # bytes of a file that is one array: it is held in memory
_MAX_COLUMNS = 5_000
_SAMPLE = 1_000
_DEEPEST = 16
_MARK = codecs.BOM_UTF8

Row = dict[str, Any]


def _number(text: str) -> str:
    """A number that is not whole as it stands in the file, but 1.0 as 1."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text)


_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=_number)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def open_json(source: ByteSource, form: FileForm, kind: str) -> FileTable:
    """Look through a file for the names of all its columns.

    Args:
        kind: "jsonl", or "json" for an array; a .json file of lines is read as lines.

    Raises:
        FileError: A line is no object, or there are too many columns.
    """
    found = detect(source.beginning())  # JSON is Unicode: a line that is not is named
    charset = form.encoding or (found if found != "cp1252" else None) or UTF_8
    head = next(as_utf_8(iter([source.beginning()]), charset), b"").removeprefix(_MARK)
    first = head.lstrip()[:1]
    is_array = first == b"[" or (kind == "json" and first != b"{")
    objects = partial(_array if is_array else _lines, source, charset)
    columns, lists, has_gaps = _columns_of(objects(), "object" if is_array else "line")
    if not columns:
        raise FileError("has no rows; it needs an object for each customer")
    word = "object" if is_array or has_gaps else "line"
    form = replace(form, format="json" if is_array else "jsonl", encoding=charset)
    rows = partial(_rows, objects, word)
    sample = next(rows(columns), None)
    texts = {name: sample[name][:_SAMPLE].to_pylist() for name in columns} if sample else {}
    form, notes = number_marks(texts, form)
    said = [f"read as {in_words(charset)}"] if in_words(charset) != "UTF-8" else []
    said += marks_in_words(form)
    left_out = [f"column {name!r} holds lists and is left out" for name in sorted(lists)]
    return FileTable(
        columns,
        form,
        [*([", ".join(said)] if said else []), *notes, *left_out],
        rows,
        lambda index: f"{word} {index + 1}",
    )


def _lines(source: ByteSource, charset: str) -> Iterator[bytes]:
    """The lines of a file, blank ones too."""
    rest = b""
    with closing(as_utf_8(source.chunks(), charset)) as chunks:
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > MAX_ROW:
                break  # whoever decodes it says so
    yield rest


def _array(source: ByteSource, charset: str) -> Iterator[bytes]:
    """The objects of the array that a file is, as they stand there."""
    pieces, held = [], 0
    with closing(as_utf_8(source.chunks(), charset)) as chunks:
        for chunk in chunks:
            pieces.append(chunk)
            held += len(chunk)
            if held > _MAX_ARRAY:
                raise FileError(
                    f"has more than {_MAX_ARRAY:,} bytes in one JSON array, which is read whole; "
                    "write one object a line (.jsonl)"
                )
    try:
        yield from map(bytes, _ARRAY.decode(b"".join(pieces).removeprefix(_MARK)))
    except (msgspec.DecodeError, RecursionError) as error:
        raise FileError(f"is no JSON array of objects: {error}; write one object a line") from error


def _columns_of(objects: Iterator[bytes], word: str) -> tuple[tuple[str, ...], set[str], bool]:
    """The names of all columns, those that hold lists, and whether there are blank lines between.

    The former do not contain the latter.
    """
    names: dict[str, None] = {}
    lists: set[str] = set()
    blank, has_gaps = False, False
    for number, line in enumerate(objects, 1):
        row = _row(line, word, number)
        if row is None:
            blank = True
            continue
        has_gaps |= blank
        if list in map(type, row.values()):
            lists.update(name for name, value in row.items() if isinstance(value, list))
        if row.keys() <= names.keys():
            continue
        names.update(dict.fromkeys(row))
        if len(names) > _MAX_COLUMNS:
            raise FileError(
                f"has more than {_MAX_COLUMNS:,} different names in its objects; are values names?"
            )
    return tuple(name for name in names if name not in lists), lists, has_gaps


def _rows(
    objects: Callable[[], Iterator[bytes]], word: str, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of some columns; what an object lacks is null."""
    waiting: list[Row] = []
    held = 0
    for number, line in enumerate(objects(), 1):
        row = _row(line, word, number)
        if row is None:
            continue
        waiting.append(row)
        held += len(line)
        if len(waiting) == _ROWS or held > _BATCH_BYTES:
            yield _batch(waiting, columns)
            waiting, held = [], 0
    if waiting:
        yield _batch(waiting, columns)


def _batch(rows: Sequence[Row], columns: Sequence[str]) -> pa.RecordBatch:
    arrays = [_texts([row.get(name) for row in rows]) for name in columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _texts(values: list[Any]) -> pa.StringArray:
    try:
        return pa.array(values, pa.string())
    except (TypeError, pa.ArrowException):  # not all of them are texts
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _row(line: bytes, word: str, number: int) -> Row | None:
    """An object without objects in it, or None for a blank line."""
    if len(line) > MAX_ROW:
        raise FileError(f"{word} {number} is longer than {MAX_ROW} bytes")
    if number == 1:
        line = line.removeprefix(_MARK)
    try:
        found = _DECODER.decode(line) if line.strip() else None
    except UnicodeError as error:
        raise FileError(
            f"{word} {number} is not UTF-8 text; save the file as UTF-8, or declare its encoding"
        ) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise FileError(f"{word} {number} is no JSON object: {error}; mend or remove it") from error
    if found is None or dict not in map(type, found.values()):
        return found
    row: Row = {}
    if not _flatten(found, "", row):
        raise FileError(
            f"{word} {number} has a name twice when its objects are flattened with dots, or they "
            f"are nested more than {_DEEPEST} deep; mend it"
        )
    return row


def _flatten(found: Row, prefix: str, row: Row) -> bool:
    """Add the values to a row by their paths; False if it cannot be."""
    for name, value in found.items():
        path = prefix + name
        if isinstance(value, dict):
            if prefix.count(".") >= _DEEPEST or not _flatten(value, f"{path}.", row):
                return False
        elif path in row:
            return False
        else:
            row[path] = value
    return True

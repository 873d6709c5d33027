"""Text files of rows and delimiters, read by pyarrow in small blocks."""

import re
import time
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import pyarrow as pa
from pyarrow import csv

from churnstream.deadline import Deadline
from churnstream.files.byte_streams import ByteStream, part
from churnstream.files.charset import UTF_8, as_utf_8, detect, in_words
from churnstream.files.column_names import header
from churnstream.files.compression import CHUNK, ByteSource
from churnstream.files.customer_file import FileTable
from churnstream.files.dialect import Dialect, dialect_of
from churnstream.files.file_errors import FileError, advice_on
from churnstream.files.file_form import DELIMITER_NAMES, FileForm
from churnstream.files.number_marks import marks_in_words, number_marks
from churnstream.files.parquet_file import MAX_ROW
from churnstream.files.trailing_rows import Ending, ending_of

_ROW = re.compile(r"Row #(\d+): (?:Expected (\d+) columns, got (\d+)|.*UTF8)")
_MAX_READ = 10.0  # seconds that one read from a disk may take
_ADVICE_UTF_8 = "save the file as UTF-8, or declare its encoding"


def open_delimited(source: ByteSource, form: FileForm) -> FileTable:
    """Look at a file's beginning for its dialect and all through it for its encoding and its end.

    Raises:
        FileError: It is no such file, or its header is none.
    """
    charset = form.encoding or detect(source.beginning())
    dialect = _dialect(source, charset or UTF_8, form)
    ending = _ending(source, charset or UTF_8, dialect)
    if charset is None and detect(ending.first_odd) == "cp1252":
        charset = "cp1252"
        ending = _ending(source, charset, dialect)
    columns, notes = header(dialect.names)
    form = replace(form, format="csv", encoding=charset or UTF_8, delimiter=dialect.delimiter)
    sample = (
        dict(zip(columns, zip(*dialect.rows, strict=True), strict=True)) if dialect.rows else {}
    )
    form, doubts = number_marks(sample, form, "," if dialect.delimiter == ";" else ".")
    return FileTable(
        columns,
        form,
        [*_in_words(form), *notes, *doubts, *ending.notes()],
        partial(_rows, source, charset or UTF_8, dialect, ending, columns),
        lambda index: f"row {index + 2} (the header is row 1)",
    )


def _dialect(source: ByteSource, charset: str, form: FileForm) -> Dialect:
    with closing(ByteStream(as_utf_8(source.chunks(), charset))) as stream:
        head = stream.read(CHUNK)
        is_whole = not stream.read(1)
    dialect = dialect_of(head, form.delimiter, is_whole=is_whole)
    if any(not name.isprintable() and "\udc80" <= max(name) <= "\udcff" for name in dialect.names):
        raise FileError(f"the header is not {in_words(charset)} text; {_ADVICE_UTF_8}")
    return dialect


def _ending(source: ByteSource, charset: str, dialect: Dialect) -> Ending:
    rows = _behind_header(source, charset, dialect)
    return ending_of(rows, dialect.delimiter, len(dialect.names))


def _behind_header(source: ByteSource, charset: str, dialect: Dialect) -> Iterator[bytes]:
    return part(as_utf_8(source.chunks(), charset), dialect.begin, None)


def _in_words(form: FileForm) -> list[str]:
    """How the file is read, where that is not as UTF-8 with commas and decimal points."""
    words = []
    if form.encoding and in_words(form.encoding) != "UTF-8":
        words.append(f"read as {in_words(form.encoding)}")
    if form.delimiter and form.delimiter != ",":
        words.append(f"separated by {DELIMITER_NAMES.get(form.delimiter, form.delimiter)}")
    words += marks_in_words(form)
    return [", ".join(words)] if words else []


def _rows(
    source: ByteSource,
    charset: str,
    dialect: Dialect,
    ending: Ending,
    names: Sequence[str],
    columns: Sequence[str],
) -> Iterator[pa.RecordBatch]:
    """The rows of some columns; an empty cell is null."""
    chunks = part(_behind_header(source, charset, dialect), 0, ending.end)
    first = next((chunk for chunk in chunks if chunk.strip(b"\r\n")), None)
    if first is None:
        return
    stream = ByteStream(_together(first, chunks))
    try:
        handle = _Handle(stream)
        reader = _reader(handle, dialect.delimiter, names, columns)
        with closing(stream), _Batches(reader, weakref.ref(handle)) as found:
            del reader, handle
            yield from found
    except pa.ArrowInvalid as error:
        raise _row_fault(error, charset) from error


class _Handle:
    """A stream as pyarrow holds it: nobody else does, so that its end is the end of the reading."""

    closed = False

    def __init__(self, stream: ByteStream) -> None:
        self.read = stream.read


class _Batches:
    """The batches of a reader, which is let go of when the process ends at the latest.

    A thread of the library reads ahead, and is in the middle of that for a moment after its reader
    is gone. Once the interpreter is ending, it never comes back from a file of Python's, and the
    process would stand still for ever, or be aborted.
    """

    def __init__(
        self, reader: csv.CSVStreamingReader, handle: "weakref.ReferenceType[_Handle]"
    ) -> None:
        held = [reader]
        self._held, self._let_go = held, weakref.finalize(self, _let_go, held, handle)

    def __enter__(self) -> "_Batches":
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    def __iter__(self) -> "_Batches":
        return self

    def __next__(self) -> pa.RecordBatch:
        if not self._held:
            raise StopIteration
        return self._held[0].read_next_batch()


def _let_go(held: list[csv.CSVStreamingReader], handle: "weakref.ReferenceType[_Handle]") -> None:
    """Drop a reader and wait until its thread has come back: the last to go drops the handle."""
    held.clear()
    deadline = Deadline(_MAX_READ)
    while handle() is not None and not deadline.passed:
        time.sleep(0.001)


def _together(first: bytes, rest: Iterator[bytes]) -> Generator[bytes]:
    yield first
    yield from rest


def _reader(
    stream: _Handle, delimiter: str, names: Sequence[str], columns: Sequence[str]
) -> csv.CSVStreamingReader:
    return csv.open_csv(
        stream,
        # Threads forget row numbers. A block is held as bytes and as columns: small ones do.
        csv.ReadOptions(block_size=MAX_ROW, use_threads=False, column_names=list(names)),
        csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        csv.ConvertOptions(
            include_columns=list(columns),
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _row_fault(error: pa.ArrowInvalid, charset: str) -> Exception:
    """The error with the row's number in the file, or as it is."""
    if not (found := _ROW.search(str(error))):
        return FileError(advice_on(error))
    where = f"row {int(found[1]) + 1} (the header is row 1)"
    if found[2] is None:
        return FileError(f"{where} is not {in_words(charset)} text; {_ADVICE_UTF_8}")
    return FileError(f"{where} has {found[3]} fields instead of {found[2]}; mend or remove it")

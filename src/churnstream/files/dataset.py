"""Files of customers, CSV or Parquet, as rows of text, in bounded memory.

Every value stays the text that stands in the file: what a value means is decided once, by whoever
decodes the event made from it, and not by what a CSV reader happens to infer.
"""

import codecs
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv

from churnstream.errors import DataError
from churnstream.files import parquet_file
from FIXME import DATASET_COLUMNS
from churnstream.escaping import quote
from churnstream.records.rejection import RejectionCount

BUNDLED = Path(__file__).parents[1] / "data" / "customers.csv.gz"

# pyarrow reads blocks ahead and holds each as bytes and as columns: small blocks, small memory.
_BLOCK_BYTES = parquet_file.MAX_ROW
_BATCH_BYTES = 32 * 2**20  # ten thousand rows of customers have two million
_ROWS_READ_AT_ONCE = 8_192


@dataclass(frozen=True)
class Dataset:
    """A file of customers, found fit to read by `open_dataset`.

    Attributes:
        columns: The columns of its rows: `DATASET_COLUMNS`, and `Churn` if the file has it.
    """

    path: Path
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    def row_name(self, index: int) -> str:
        """How to call a row, counted from 0, so that it is found in the file."""
        with_header = _format_of(self.path).rows is _csv_rows
        return f"row {index + 2} (the header is row 1)" if with_header else f"row {index + 1}"

    def useless(self, what: str, rejected: RejectionCount) -> str:
        """Say that no row of the file could be used, and why.

        Args:
            what: Was to be done with them, as "scored".
        """
        if not rejected.total:
            return f"{self.path}: has no rows"
        count = f"none of its {rejected.total:,} rows can be {what}"
        return f"{self.path}: {count}: {rejected.in_words()}"

    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal.

        Raises:
            DataError: The file cannot be read.
        """
        with _faults_named(self.path), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def batches(self, size: int, start: int = 0) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, `size` at a time; fewer in the end, and where rows are long.

        Args:
            size: Rows a batch, 1 or more.
            start: The first row to yield, counted from 0; those before it are read and dropped.

        Raises:
            DataError: The file cannot be read, or a row is broken.
        """
        rows = _format_of(self.path).rows(self.path, list(self.columns))
        with _faults_named(self.path):
            yield from _resized(_without_first(rows, start), size)

    def row_count(self) -> int:
        """Rows in the file; all of it is read, though only one column is kept at a time.

        Raises:
            DataError: The file cannot be read, or a row is broken.
        """
        with _faults_named(self.path):
            rows = _format_of(self.path).rows(self.path, [self.columns[0]])
            return sum(batch.num_rows for batch in rows)

    def sample(self, limit: int, seed: int) -> pa.RecordBatch:
        """Up to `limit` rows, in the file's order: all of them, or a uniform random sample.

        Reads twice, to count the rows and to take the chosen ones, and never holds the others.

        Raises:
            DataError: The file cannot be read, or a row is broken.
        """
        random, count = np.random.default_rng(seed), self.row_count()
        chosen = np.sort(random.choice(count, min(limit, count), replace=False, shuffle=False))
        schema = pa.schema([(name, pa.string()) for name in self.columns])
        pieces, first = [pa.RecordBatch.from_pylist([], schema)], 0
        for batch in self.batches(_ROWS_READ_AT_ONCE):
            end = first + batch.num_rows
            here = chosen[np.searchsorted(chosen, first) : np.searchsorted(chosen, end)]
            pieces.append(batch.take(pa.array(here - first)))
            first = end
        return pa.concat_batches(pieces)


def open_dataset(path: Path | None) -> Dataset:
    """Look at a file of customers: CSV (also gzipped) or Parquet, by its suffix.

    Args:
        path: The file; None for the bundled customers.

    Raises:
        DataError: It cannot be read, is of no known format, or lacks a column.
    """
    path = path or BUNDLED
    with _faults_named(path):
        path.open("rb").close()
        names = _format_of(path).names(path)
    if missing := [name for name in DATASET_COLUMNS if name not in names]:
        raise DataError(
            f"{path}: lacks {_columns(missing)}; it needs every column of the Telco data set, "
            f"and has {quote(','.join(names))}"
        )
    columns = (*DATASET_COLUMNS, "Churn") if "Churn" in names else DATASET_COLUMNS
    if repeated := [name for name in columns if names.count(name) > 1]:
        raise DataError(f"{path}: has {_columns(repeated)} more than once; keep one of each")
    return Dataset(path, columns)


def _columns(names: list[str]) -> str:
    return f"the column{'s' if len(names) > 1 else ''} {', '.join(names)}"


class _Format(NamedTuple):
    """How to read a format: the names of all columns, and the rows of some as text."""

    names: Callable[[Path], list[str]]
    rows: Callable[[Path, list[str]], Iterator[pa.RecordBatch]]


def _csv_names(path: Path) -> list[str]:
    with _csv_stream(path) as stream:
        if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise UnicodeError("UTF-16")
    # Broken rows are passed over: where the header is wrong, every row looks broken.
    with _csv_reader(path, csv.ConvertOptions(), lambda _: "skip") as reader:
        names: list[str] = reader.schema.names
    return names


def _csv_rows(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    as_text = dict.fromkeys(columns, pa.string())
    options = csv.ConvertOptions(include_columns=columns, column_types=as_text)
    with _csv_reader(path, options) as reader:
        yield from reader


def _csv_stream(path: Path) -> pa.NativeFile:
    is_gzipped = path.suffix.lower() == ".gz"
    return pa.input_stream(str(path), compression="gzip" if is_gzipped else None)


def _csv_reader(
    path: Path,
    options: csv.ConvertOptions,
    on_broken_row: Callable[[csv.InvalidRow], str] | None = None,
) -> csv.CSVStreamingReader:
    return csv.open_csv(
        _csv_stream(path),
        csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),  # threads forget row numbers
        csv.ParseOptions(newlines_in_values=True, invalid_row_handler=on_broken_row),
        options,
    )


_FORMATS = {
    ".csv": _Format(_csv_names, _csv_rows),
    ".csv.gz": _Format(_csv_names, _csv_rows),
    ".parquet": _Format(parquet_file.names, parquet_file.rows),
    ".pq": _Format(parquet_file.names, parquet_file.rows),
}


def _format_of(path: Path) -> _Format:
    for suffix, its_format in _FORMATS.items():
        if path.name.lower().endswith(suffix):
            return its_format
    raise DataError(f"{path}: is of no known format; its name must end in {', '.join(_FORMATS)}")


def _without_first(batches: Iterator[pa.RecordBatch], count: int) -> Iterator[pa.RecordBatch]:
    """Drop the first `count` rows.

    pyarrow could skip them unconverted, but counts blank lines as rows there and nowhere else.
    """
    for batch in batches:
        if count < batch.num_rows:
            yield batch.slice(count)
        count = max(0, count - batch.num_rows)


def _resized(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """The same rows, `size` a batch, or as many as memory can hold."""
    waiting: list[pa.RecordBatch] = []
    missing, held = size, 0
    for batch in batches:
        rest = batch
        while rest.num_rows >= missing:
            yield pa.concat_batches([*waiting, rest.slice(0, missing)])
            rest = rest.slice(missing)
            waiting, missing, held = [], size, 0
        waiting.append(rest)
        missing -= rest.num_rows
        held += rest.nbytes
        if held > _BATCH_BYTES:
            yield pa.concat_batches(waiting)
            waiting, missing, held = [], size, 0
    if missing < size:
        yield pa.concat_batches(waiting)


_ADVICE = {
    r"Row #(?P<row>\d+): Expected (?P<expected>\d+) columns, got (?P<got>\d+)": (
        "row {row} (the header is row 1) has {got} fields instead of {expected}; mend or remove it"
    ),
    r"Row #(?P<row>\d+): .*UTF8": (
        "row {row} (the header is row 1) is not UTF-8 text; save the file as UTF-8"
    ),
    r"UTF-16|codec can't decode": "is not UTF-8 text; save the file as UTF-8",
    r"straddling object": f"a row is longer than {_BLOCK_BYTES} bytes; is a quote never closed?",
    r"Empty CSV file": "is empty; it needs a header and a row for each customer",
    r"zlib|compressed stream": "is no gzip file or a damaged one; fetch or compress it again",
}


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """Turn what goes wrong inside into one line that names the file and says what to do.

    Raises:
        DataError: In place of the errors of pyarrow and of the operating system.
    """
    try:
        yield
    except (OSError, UnicodeError, pa.ArrowException) as error:
        raise DataError(f"{path}: {_advice(error)}") from error


def _advice(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}; check its path and permissions"
    for pattern, advice in _ADVICE.items():
        if match := re.search(pattern, str(error)):
            return advice.format(**match.groupdict())
    return " ".join(str(error).split())

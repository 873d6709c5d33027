"""Tables into files: CSV, Parquet and Excel.

Whoever writes an event chooses its texts, and a spreadsheet takes a text that begins as a formula
does for one, which may send what stands beside it elsewhere. So no text of a CSV file begins like
that, and in Excel a text is written as one. Programs read Parquet, where texts stay as they are.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, Self

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from churnstream import safe_files
from churnstream.errors import ConfigurationError, DataError
from churnstream.files.workbook_writer import WorkbookWriter

_ROWS = 10_000  # of a batch
# By OWASP's advice, full-width forms included; a number with its sign is none.
_FORMULA = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_NUMBER = r"^[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?$"
_AS_IN_RECORDS = "%Y-%m-%dT%H:%M:%SZ"  # with the fraction of a second


class TableWriter(Protocol):
    """Writes a table, a batch of rows at a time."""

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Write rows of the schema that the writer was made with.

        Raises:
            OSError: The file cannot be written.
            DataError: The format has no room for so many rows.
        """
        ...


TableWriterType = Callable[[BinaryIO, pa.Schema], AbstractContextManager[TableWriter]]


class SafeCsvWriter:
    """CSV in UTF-8 whose texts start no formula: before one that would, there is an apostrophe."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        texts = [_text_type(field.type) for field in schema]
        names = _safe(pa.array(schema.names, pa.string())).to_pylist()
        self._schema = pa.schema(list(zip(names, texts, strict=True)))
        self._writer = csv.CSVWriter(file, self._schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """See `TableWriter`."""
        columns = [_safe(_as_text(column)) for column in batch.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))


def _text_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _as_text(column: pa.Array) -> pa.Array:
    return pc.strftime(column, _AS_IN_RECORDS) if pa.types.is_timestamp(column.type) else column


def _safe(column: pa.Array) -> pa.Array:
    """The column with an apostrophe before each text that a spreadsheet would compute."""
    if not pa.types.is_string(column.type):
        return column
    starts_one = pc.match_substring_regex(column, _FORMULA)
    computes = pc.and_not(starts_one, pc.match_substring_regex(column, _NUMBER))
    if not pc.any(computes).as_py():
        return column
    return pc.if_else(computes, pc.binary_join_element_wise("'", column, ""), column)


_WRITERS: dict[str, TableWriterType] = {
    ".csv": SafeCsvWriter,
    ".parquet": parquet.ParquetWriter,
    ".pq": parquet.ParquetWriter,
    ".xlsx": WorkbookWriter,
}


def writer_of(path: Path) -> TableWriterType:
    """What writes a file of this name, by its suffix.

    Raises:
        ConfigurationError: It is of no known format.
    """
    if found := _WRITERS.get(path.suffix.lower()):
        return found
    *first, last = _WRITERS
    raise ConfigurationError(
        f"{path}: is written in no known format; its name must end in {', '.join(first)} or {last}"
    )


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table in place of the file that is there, and its folder if that is missing.

    Raises:
        ConfigurationError: The file is of no known format.
        DataError: It cannot be written, or has no room for so many rows; the old one is still
            there.
    """
    writer_type = writer_of(path)
    try:
        with suppress(FileExistsError):
            path.parent.mkdir(parents=True)
        with safe_files.replacing(path) as file, writer_type(file, table.schema) as writer:
            for batch in table.to_batches(_ROWS):
                writer.write_batch(batch)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error

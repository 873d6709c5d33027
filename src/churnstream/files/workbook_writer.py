"""Workbooks of Excel (.xlsx), written row by row; a text is a text there, whatever it says."""

from datetime import datetime
from math import isfinite
from typing import Any, BinaryIO, Self

import pyarrow as pa
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError

from churnstream.errors import DataError

NUMBER_FORMAT = b"excel"
"""Key in a field's metadata: how Excel shows its numbers, as b"0.0%"."""

_MAX_ROWS = 1_048_576  # of a sheet, that of the names included
_MAX_LENGTH = 32_767  # characters of a cell
_FIRST_YEAR = 1900
_WIDTHS = {"string": 24, "other": 14}  # of columns, in characters
_TIME = "yyyy-mm-dd hh:mm:ss"  # which knows no zone: UTC


class WorkbookWriter:
    """One sheet with the names above, in bounded memory: rows wait in a temporary file."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._book = Workbook(file, {"constant_memory": True})
        self._sheet = self._book.add_worksheet("customers")
        self._sheet.freeze_panes(1, 1)
        self._sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        bold = self._book.add_format({"bold": True})
        self._formats = [self._format_of(field) for field in schema]
        for i, field in enumerate(schema):
            kind = "string" if pa.types.is_string(field.type) else "other"
            self._sheet.set_column(i, i, _WIDTHS[kind])
            self._sheet.write_string(0, i, _short(field.name), bold)
        self._row = 1

    def _format_of(self, field: pa.Field) -> Any:  # noqa: ANN401  # the library's own, or None
        shown = (field.metadata or {}).get(NUMBER_FORMAT, b"").decode()
        if pa.types.is_timestamp(field.type):
            shown = _TIME
        return self._book.add_format({"num_format": shown}) if shown else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._book.close()
        except FileCreateError as error:
            if kind is None:  # else the file is thrown away, and why is known
                raise OSError(*_reason(error)) from error

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """See `TableWriter`.

        Raises:
            OSError: The file cannot be written.
            DataError: A sheet has no room for so many rows.
        """
        if self._row + batch.num_rows > _MAX_ROWS:
            raise DataError(
                f"a sheet of Excel has no room for more than {_MAX_ROWS - 1:,} rows; "
                "write .csv or .parquet"
            )
        for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            for i, cell in enumerate(cells):
                self._write(i, cell)
            self._row += 1

    def _write(self, i: int, cell: Any) -> None:  # noqa: ANN401  # whatever Arrow holds
        row, shown = self._row, self._formats[i]
        if cell is None:
            return
        if isinstance(cell, int | float):
            if isfinite(cell):
                self._sheet.write_number(row, i, cell, shown)
        elif isinstance(cell, str):
            self._sheet.write_string(row, i, _short(cell))
        else:
            self._write_time(i, cell)

    def _write_time(self, i: int, at: datetime) -> None:
        """As a time, or as a text where it lies before all that Excel knows."""
        if at.year > _FIRST_YEAR:
            self._sheet.write_datetime(self._row, i, at.replace(tzinfo=None), self._formats[i])
        else:
            self._sheet.write_string(self._row, i, at.isoformat())


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 3]}..."


def _reason(error: FileCreateError) -> tuple[Any, ...]:
    cause = error.args[0] if error.args else error
    return cause.args if isinstance(cause, OSError) else (str(cause),)

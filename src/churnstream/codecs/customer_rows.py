"""A file of customers as rows of a schema: its columns found, its numbers made plain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from churnstream.errors import DataError
from churnstream.files.column_names import match_names, match_notes
from churnstream.files.customer_file import CustomerFile
from churnstream.files.file_form import FileForm
from churnstream.files.open_file import open_file
from churnstream.files.plain_numbers import plain_numbers
from churnstream.records.rejection import RejectionCount
from churnstream.schema.fields import Boolean, Numeric
from churnstream.schema.schema import Schema

BUNDLED = Path(__file__).parents[1] / "data" / "customers.csv.gz"
_DETECT = FileForm()


@dataclass(frozen=True)
class CustomerRows:
    """The rows of a file, by the names of a schema; see `open_rows`.

    Attributes:
        names: By name of the schema, the file's own; the label's only where the file has it.
    """

    file: CustomerFile
    schema: Schema
    names: Mapping[str, str]

    @property
    def notes(self) -> list[str]:
        """What was detected, in words to be said aloud."""
        return [*self.file.notes, *match_notes(dict(self.names))]

    def batches(self, size: int, start: int = 0) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, `size` at a time; fewer in the end, and where rows are long.

        Args:
            size: Rows a batch, 1 or more.
            start: The first row to yield, counted from 0; those before it are read and dropped.

        Raises:
            DataError: The file cannot be read, or a row is broken.
        """
        for batch in self.file.batches(size, start, list(self.names.values())):
            yield self.select(batch)

    def sample(self, limit: int, seed: int) -> pa.RecordBatch:
        """Up to `limit` rows, in the file's order; see `CustomerFile.sample`."""
        return self.select(self.file.sample(limit, seed))

    def select(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The schema's columns of rows of the file, numbers made plain."""
        columns = [self._plain(name, batch[own]) for name, own in self.names.items()]
        return pa.RecordBatch.from_arrays(columns, names=list(self.names))

    def _plain(self, name: str, column: pa.StringArray) -> pa.StringArray:
        if name == self.schema.id:
            # An id of blanks is none.
            return pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), "", column)
        is_number = isinstance(self.schema.fields.get(name), Numeric | Boolean)
        return plain_numbers(column, self.file.form) if is_number else column

    def useless(self, what: str, rejected: RejectionCount) -> str:
        """Say that no row of the file could be used, and why.

        Args:
            what: Was to be done with them, as "scored".
        """
        if not rejected.total:
            return f"{self.file.path}: has no rows"
        count = f"none of its {rejected.total:,} rows can be {what}"
        return f"{self.file.path}: {count}: {rejected.in_words()}"


def open_rows(path: Path | None, schema: Schema, form: FileForm = _DETECT) -> CustomerRows:
    """Look at a file of customers.

    Args:
        path: The file; None for the bundled customers.
        form: What is known of it; the rest is detected.

    Raises:
        DataError: It cannot be read, is of no known format, or lacks a column.
        ConfigurationError: Something is declared of the file that cannot be.
    """
    return rows_in(open_file(path or BUNDLED, form), schema)


def rows_in(file: CustomerFile, schema: Schema) -> CustomerRows:
    """Find the columns of a schema in a file.

    Raises:
        DataError: It lacks one.
    """
    try:
        names = match_names(schema.columns, file.columns)
        if label := schema.label:
            others = [name for name in file.columns if name not in names.values()]
            try:
                names |= match_names([label.field], others)
            except DataError as error:
                if str(error).startswith("has"):  # several may be meant
                    raise
    except DataError as error:
        raise DataError(f"{file.path}: {error}") from error
    return CustomerRows(file, schema, names)

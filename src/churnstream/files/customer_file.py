"""A file of customers that was found fit to read."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from churnstream.errors import DataError
from churnstream.files.file_errors import faults_named
from churnstream.files.file_form import FileForm

_BATCH_BYTES = 32 * 2**20  # ten thousand rows of customers have two million
_ROWS_READ_AT_ONCE = 8_192


class FileTable(NamedTuple):
    """What the reader of a format found.

    Attributes:
        columns: The names of all columns.
        form: How it is read, nothing of it None that the format has.
        notes: What was detected or left out, in words.
        rows: The rows of some columns, in the file's order, in batches of any size.
        row_name: How to call a row, counted from 0, so that it is found in the file.
    """

    columns: tuple[str, ...]
    form: FileForm
    notes: list[str]
    rows: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
    row_name: Callable[[int], str]


@dataclass(frozen=True)
class CustomerFile:
    """A file of customers, opened by `open_file`."""

    path: Path
    table: FileTable

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns, as in the file."""
        return self.table.columns

    @property
    def form(self) -> FileForm:
        """How it is read: what was declared, and what was detected for the rest."""
        return self.table.form

    @property
    def notes(self) -> list[str]:
        """What was detected or left out, in words to be said aloud."""
        return self.table.notes

    def row_name(self, index: int) -> str:
        """How to call a row, counted from 0, so that it is found in the file."""
        return self.table.row_name(index)

    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal.

        Raises:
            DataError: The file cannot be read.
        """
        with faults_named(self.path), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def batches(
        self, size: int, start: int = 0, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, `size` at a time; fewer in the end, and where rows are long.

        Args:
            size: Rows a batch, 1 or more.
            start: The first row to yield, counted from 0; those before it are read and dropped.
            columns: The columns to yield, in this order; None: all. Missing cells are null.

        Raises:
            DataError: The file cannot be read, lacks a column, or a row is broken.
        """
        wanted = self.columns if columns is None else columns
        if missing := [name for name in wanted if name not in self.columns]:
            raise DataError(f"{self.path}: lacks the column {missing[0]}; match its names first")
        with faults_named(self.path):
            yield from _resized(_without_first(self.table.rows(wanted), start), size)

    def row_count(self) -> int:
        """Rows in the file; all of it is read, though only one column is kept at a time.

        Raises:
            DataError: The file cannot be read, or a row is broken.
        """
        with faults_named(self.path):
            return sum(batch.num_rows for batch in self.table.rows(self.columns[:1]))

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

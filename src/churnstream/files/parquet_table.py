"""Parquet files: columns of any type that has a text, in the same forms as in other files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import pyarrow as pa
from pyarrow import parquet

from churnstream.files import parquet_file
from churnstream.files.column_names import check_distinct
from churnstream.files.compression import ByteSource
from churnstream.files.customer_file import FileTable
from churnstream.files.file_errors import FileError
from churnstream.files.file_form import FileForm
from churnstream.files.number_marks import marks_in_words, number_marks
from churnstream.files.typed_text import has_text, usual_form, value_type

_SAMPLE = 1_000


def open_parquet(source: ByteSource, form: FileForm) -> FileTable:
    """Look at the names and types of a file.

    Raises:
        FileError: A name is there twice, or no column has a text.
        ArrowInvalid: It is no Parquet file or a damaged one.
    """
    schema: pa.Schema = parquet.read_schema(source.path)
    check_distinct(schema.names)
    kinds = {field.name: field.type for field in schema if has_text(field.type)}
    if not kinds:
        raise FileError("has no column of texts, numbers or dates")
    columns = tuple(kinds)
    rows = partial(_rows, source, kinds)
    texts = [name for name, kind in kinds.items() if _is_text(kind)]
    sample = next(rows(texts), None) if texts else None
    values = {name: sample[name][:_SAMPLE].to_pylist() for name in texts} if sample else {}
    form, doubts = number_marks(values, replace(form, format="parquet"))
    said = marks_in_words(form)
    return FileTable(
        columns,
        form,
        [
            *([", ".join(said)] if said else []),
            *doubts,
            *(
                f"column {field.name!r} holds {field.type} and is left out"
                for field in schema
                if field.name not in kinds
            ),
        ],
        rows,
        lambda index: f"row {index + 1}",
    )


def _is_text(kind: pa.DataType) -> bool:
    return value_type(kind) in (pa.string(), pa.large_string(), pa.string_view())


def _rows(
    source: ByteSource, kinds: dict[str, pa.DataType], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of some columns as texts."""
    for batch in parquet_file.rows(source.path, columns):
        texts = [usual_form(batch[name], value_type(kinds[name])) for name in columns]
        yield pa.RecordBatch.from_arrays(texts, names=list(columns))

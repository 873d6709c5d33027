"""Columns of any type as the texts that people would write."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from churnstream.files.customer_file import CustomerFile, FileTable
from churnstream.files.file_form import FileForm

_WHOLE = 2**53  # a double is exact below


def as_texts(table: pa.Table) -> pa.RecordBatch:
    """The columns of a table that have a text, all rows in one batch; null for NaN, too."""
    names = [field.name for field in table.schema if has_text(field.type)]
    columns = [_as_text(table[name].combine_chunks()) for name in names]
    return pa.RecordBatch.from_arrays(columns, names=names)


def in_memory(table: pa.Table) -> CustomerFile:
    """A table as if it were read from a file."""
    batch = as_texts(table)

    def rows(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield batch.select(list(columns))

    columns = tuple(batch.schema.names)
    found = FileTable(columns, FileForm(), [], rows, lambda index: f"row {index}")
    return CustomerFile(Path("the frame"), found)


def as_in_parquet(batch: pa.RecordBatch, form: FileForm) -> CustomerFile:
    """Rows as if they were read from a Parquet file: NaN stays the number that it is.

    Only the columns that are asked for are turned into texts.

    Args:
        form: The marks within numbers that are texts.
    """
    kinds = {field.name: value_type(field.type) for field in batch.schema if has_text(field.type)}

    def rows(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        texts = [
            usual_form(batch[name].cast(kinds[name]).cast(pa.string()), kinds[name])
            for name in columns
        ]
        yield pa.RecordBatch.from_arrays(texts, names=list(columns))

    found = FileTable(tuple(kinds), form, [], rows, lambda index: f"row {index}")
    return CustomerFile(Path("the frame"), found)


def _as_text(column: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = value_type(array.type)
    if array.type != kind:
        array = array.cast(kind)
    if pa.types.is_floating(kind):
        array = pc.if_else(pc.is_nan(array), None, array)
    return usual_form(array.cast(pa.string()), kind)


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values, those of a dictionary included."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def has_text(kind: pa.DataType) -> bool:
    """Whether values of a type can be written as text."""
    value = value_type(kind)
    is_binary = (
        pa.types.is_binary(value)
        or pa.types.is_large_binary(value)
        or pa.types.is_binary_view(value)
        or pa.types.is_fixed_size_binary(value)
    )
    if pa.types.is_nested(value) or pa.types.is_duration(value) or is_binary:
        return False
    try:
        pa.nulls(0, value).cast(pa.string())
    except pa.ArrowException:
        return False
    return True


def usual_form(texts: pa.StringArray, kind: pa.DataType) -> pa.StringArray:
    """Texts that pyarrow made of a type, as people write them."""
    if pa.types.is_timestamp(kind):
        return _iso_times(texts)
    if pa.types.is_time(kind):
        return pc.replace_substring_regex(texts, r"(\.\d*?[1-9])0+$|\.0+$", r"\1")
    if pa.types.is_floating(kind):
        return _whole_numbers(texts)
    return texts


def _iso_times(texts: pa.StringArray) -> pa.StringArray:
    """2024-01-31T12:30:00 with a zone if there is one; only the date at midnight without one."""
    texts = pc.replace_substring_regex(texts, r"(\.\d*?[1-9])0+(\D|$)|\.0+(\D|$)", r"\1\2\3")
    texts = pc.replace_substring_regex(texts, r"([-+]\d\d)(\d\d)$", r"\1:\2")
    texts = pc.replace_substring_regex(texts, r"^(\S+) 00:00:00$", r"\1")
    return pc.replace_substring(texts, " ", "T")


def _whole_numbers(texts: pa.StringArray) -> pa.StringArray:
    """1e+10 becomes 10000000000, as a customer's number may be."""
    is_large = pc.fill_null(pc.match_substring(texts, "e+"), False)
    if not pc.any(is_large).as_py():
        return texts
    values = pc.cast(pc.if_else(is_large, texts, None), pa.float64())
    is_whole = pc.and_(pc.less(pc.abs(values), float(_WHOLE)), pc.equal(values, pc.floor(values)))
    whole = pc.cast(pc.if_else(is_whole, values, None), pa.int64()).cast(pa.string())
    return pc.coalesce(whole, texts)

"""Parquet files: columns of any type that has a text, in the same forms as in other files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from churnstream.files import parquet_file
from churnstream.files.customer_file import Table
from churnstream.files.faults import FileError
from churnstream.files.form import FileForm
from churnstream.files.names import check_distinct
from churnstream.files.number_marks import marks_in_words, number_marks
from churnstream.files.packing import Source

_SAMPLE = 1_000
_WHOLE = 2**53  # a double is exact below


def open_parquet(source: Source, form: FileForm) -> Table:
    """Look at the names and types of a file.

    Raises:
        FileError: A name is there twice, or no column has a text.
        ArrowInvalid: It is no Parquet file or a damaged one.
    """
    schema: pa.Schema = parquet.read_schema(source.path)
    check_distinct(schema.names)
    kinds = {field.name: field.type for field in schema if _has_text(field.type)}
    if not kinds:
        raise FileError("has no column of texts, numbers or dates")
    columns = tuple(kinds)
    rows = partial(_rows, source, kinds)
    texts = [name for name, kind in kinds.items() if _is_text(kind)]
    sample = next(rows(texts), None) if texts else None
    values = {name: sample[name][:_SAMPLE].to_pylist() for name in texts} if sample else {}
    form, doubts = number_marks(values, replace(form, format="parquet"))
    said = marks_in_words(form)
    return Table(
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


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return _value_type(kind) in (pa.string(), pa.large_string(), pa.string_view())


def _has_text(kind: pa.DataType) -> bool:
    """Whether values of a type can be written as text."""
    value = _value_type(kind)
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


def _rows(
    source: Source, kinds: dict[str, pa.DataType], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of some columns as texts."""
    for batch in parquet_file.rows(source.path, columns):
        texts = [_usual_form(batch[name], _value_type(kinds[name])) for name in columns]
        yield pa.RecordBatch.from_arrays(texts, names=list(columns))


def _usual_form(texts: pa.StringArray, kind: pa.DataType) -> pa.StringArray:
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

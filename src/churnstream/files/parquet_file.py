"""Rows of a Parquet file as text, in bounded memory whatever the file holds.

A page of 5 kB can unpack to 100 MB, a dictionary's one long text can stand in every row, and a list
can hold more than the file. So before a row group is read, the headers of its pages say how large
they are (the decoder holds itself to that), texts are read as the dictionaries that they are
written as, and no row may be longer than one of CSV may.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from churnstream.files.parquet_pages import pages

MAX_ROW = 256 * 1024  # bytes of a row as text
_ROWS = 8_192  # at once, and fewer where they are long
_BATCH = 16 * 2**20  # bytes
_PAGE = 32 * 2**20  # bytes of one page; writers aim at 1 MiB
_PAGES = 128 * 2**20  # bytes of one page of each column, which are in memory together
_BUFFER = 256 * 1024
_NUMBER = 32  # bytes of one as text, at most
_TEXTS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
)
_UNREADABLE = "DELTA_LENGTH_BYTE_ARRAY"  # as a dictionary
_FIXED = 256  # bytes of a value of fixed length: a decimal has 32 at most


def names(path: Path) -> list[str]:
    """The names of all columns."""
    found: list[str] = parquet.read_schema(path).names
    return found


def rows(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of some columns, in order.

    Raises:
        ArrowInvalid: A column holds neither text nor numbers, a row is too long, or the file is
            damaged.
    """
    # pyarrow would otherwise read whole row groups ahead.
    texts = _dictionaries(parquet.read_metadata(path), columns)
    options = {"pre_buffer": False, "buffer_size": _BUFFER, "read_dictionary": texts}
    done = 0
    with path.open("rb") as raw, parquet.ParquetFile(path, **options) as file:
        for group in range(file.num_row_groups):
            at_once = _rows_at_once(raw, file.metadata, group, columns)
            for batch in file.iter_batches(
                at_once, row_groups=[group], columns=list(columns), use_threads=False
            ):
                yield from _parts(batch.select(list(columns)), done)
                done += batch.num_rows


def _dictionaries(metadata: parquet.FileMetaData, columns: Sequence[str]) -> list[str]:
    """The columns to read as dictionaries: texts, where pyarrow can.

    Raises:
        ArrowInvalid: A column holds neither texts nor numbers.
    """
    schema, found = metadata.schema.to_arrow_schema(), []
    for name in columns:
        kind = schema.field(name).type
        is_long = pa.types.is_fixed_size_binary(kind) and kind.byte_width > _FIXED
        if pa.types.is_nested(kind) or is_long:
            raise pa.ArrowInvalid(f"the column {name} holds no text or numbers: it holds {kind}")
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        if _is_text(value):
            found.append(name)
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    chunks = (group.column(n) for group in groups for n in range(group.num_columns))
    others = {chunk.path_in_schema for chunk in chunks if _UNREADABLE in chunk.encodings}
    return [name for name in found if name not in others]


def _is_text(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _TEXTS)


class _Chunk(NamedTuple):
    """A column of a row group, by its pages.

    Attributes:
        row: Most bytes of a row, on average over a page.
        page: Bytes of the largest page, and of the dictionary.
    """

    row: float
    page: int


def _rows_at_once(
    raw: BinaryIO, metadata: parquet.FileMetaData, group: int, columns: Sequence[str]
) -> int:
    """How many rows of a group may be read together, by what the headers of its pages say."""
    found = metadata.row_group(group)
    chunks = [
        _look_at(raw, chunk, group)
        for chunk in map(found.column, range(found.num_columns))
        if chunk.path_in_schema in columns
    ]
    if sum(chunk.page for chunk in chunks) > _PAGES:
        raise pa.ArrowInvalid(
            f"the pages of row group {group + 1} unpack to too much; write it with pages of 1 MiB"
        )
    return max(1, min(_ROWS, int(_BATCH / max(1, sum(chunk.row for chunk in chunks)))))


def _look_at(raw: BinaryIO, chunk: parquet.ColumnChunkMetaData, group: int) -> _Chunk:
    where = f"the column {chunk.path_in_schema} in row group {group + 1}"
    if "DELTA_BYTE_ARRAY" in chunk.encodings:  # texts may be as long as all before them together
        raise pa.ArrowInvalid(
            f"{where} is encoded as DELTA_BYTE_ARRAY, which is not read here; write it as PLAIN"
        )
    begin = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < begin:
        begin = chunk.dictionary_page_offset
    longest, largest, dictionary = 0.0, 0, 0
    for page in pages(raw, begin, chunk.total_compressed_size):
        if page.size > _PAGE:
            raise pa.ArrowInvalid(
                f"{where} has a page of {page.size:,} bytes; a row may have {MAX_ROW:,}, and a "
                f"page {_PAGE:,}"
            )
        if page.is_dictionary:
            dictionary = max(dictionary, page.size)
        elif page.values:
            largest, longest = max(largest, page.size), max(longest, page.size / page.values)
    if longest > MAX_ROW:
        raise pa.ArrowInvalid(f"{where} has a row of over {MAX_ROW:,} bytes")
    if _UNREADABLE in chunk.encodings:  # where any value of the dictionary may be in each row
        longest = max(longest, dictionary)
    return _Chunk(longest, largest + dictionary)


def _parts(batch: pa.RecordBatch, first: int) -> Iterator[pa.RecordBatch]:
    """The batch as text, in parts that memory can hold.

    Args:
        first: Its first row in the file, counted from 0.
    """
    longest = sum(map(_longest, batch.columns))
    if longest <= MAX_ROW and longest * batch.num_rows <= _BATCH:  # as nearly always
        yield _texts(batch)
        return
    lengths = np.array([_lengths(column) for column in batch.columns])
    total = lengths.sum(axis=0)
    if (too_long := np.flatnonzero(total > MAX_ROW)).size:
        row = int(too_long[0])
        name = batch.schema.names[int(lengths[:, row].argmax())]
        raise pa.ArrowInvalid(
            f"row {first + row + 1} has {total[row]:,} bytes, most of them in the column {name}; "
            f"a row may have {MAX_ROW:,}"
        )
    ends = np.cumsum(total)
    begin = 0
    while begin < batch.num_rows:
        so_far = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, so_far + _BATCH, side="right")))
        yield _texts(batch.slice(begin, end - begin))
        begin = end


def _longest(column: pa.Array) -> int:
    """Bytes that no value of a column exceeds as text."""
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    return (pc.max(_byte_lengths(values)).as_py() or 0) if _is_text(values.type) else _NUMBER


def _byte_lengths(texts: pa.Array) -> pa.Array:
    if pa.types.is_string_view(texts.type) or pa.types.is_binary_view(texts.type):
        texts = texts.cast(pa.large_binary())  # of views nobody knows the length
    return pc.binary_length(texts)


def _lengths(column: pa.Array) -> NDArray[np.int64]:
    """Bytes of each value as text, (n,); 0 for null."""
    if pa.types.is_dictionary(column.type):
        lengths = _byte_lengths(column.dictionary).take(column.indices)
    elif _is_text(column.type):
        lengths = _byte_lengths(column)
    else:
        return np.full(len(column), _NUMBER)
    lengths = lengths.fill_null(0)
    return np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64)


def _texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    names = batch.schema.names
    return pa.RecordBatch.from_arrays([_as_text(name, batch[name]) for name in names], names=names)


def _as_text(name: str, column: pa.Array) -> pa.StringArray:
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise pa.ArrowInvalid(f"the column {name} holds no text or numbers: {error}") from error

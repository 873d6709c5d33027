"""What is read of one field in many Avro values at once, and how a field is passed over."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnstream.codecs.avro_rows import AvroRows, Flags, Numbers, Spans
from churnstream.codecs.connect_kinds import DAYS, DECIMAL, PARTS_OF_A_SECOND
from churnstream.codecs.source_values import decimal_of

_FLOATS = {"double": "<f8", "float": "<f4"}
_SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_FLAGS = [b"false", b"true"]
_COMMA = ord(",")
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # of the years 1 to 9999, since 1970
_A_DAY = 86_400  # seconds
_PER_MICRO = 1_000  # nanoseconds
_UNITS = {1: "s", 10**3: "ms", 10**6: "us"}

Skip = Callable[[AvroRows], None]
"""Reads on in every row, for nothing."""
Texts = Callable[[AvroRows], Spans | pa.Array]
"""Reads on in every row; what stands between the quotation marks of a text."""
Json = Callable[[AvroRows], pa.Array]
"""Reads on in every row; the JSON of each, null where there is no value."""


class UnusualTypeError(Exception):
    """A type that is left to fastavro."""


def json_reader(kind: Any, more: str) -> Json:  # noqa: ANN401
    """What reads a value that is no text and no object.

    Args:
        kind: As the schema has it.
        more: Its type in a Connect schema; "" where there is none.
    """
    if _is_enum(kind):
        symbols = [msgspec.json.encode(symbol) for symbol in kind["symbols"]]
        return lambda rows: _one_of(symbols, rows, rows.numbers())
    if kind == "boolean":
        return lambda rows: _one_of(_FLAGS, rows, rows.byte().astype(np.int64))
    if isinstance(kind, str) and kind in _FLOATS:
        return lambda rows: _finite(rows, rows.floats(_FLOATS[kind]), kind == "float")
    if kind == "bytes" and more.startswith(DECIMAL):
        scale = int(more.removeprefix(DECIMAL))
        return lambda rows: _decimals(rows, scale)
    if kind in ("int", "long"):
        return _whole_reader(more)
    raise UnusualTypeError


def _whole_reader(more: str) -> Json:
    """What reads a whole number, which may stand for a day or a time."""
    if more in DAYS:
        return lambda rows: _quoted(_days(rows, rows.numbers()), b"")
    if a_second := PARTS_OF_A_SECOND.get(more):
        return lambda rows: _quoted(times(rows, rows.numbers(), a_second), b"Z")
    return lambda rows: _numbers(rows.numbers().tolist())


def id_reader(kind: Any, more: str) -> Texts:  # noqa: ANN401
    """What reads an id: a text, or a whole number."""
    if kind == "string" and not more.startswith(DECIMAL):
        return AvroRows.texts
    if kind in ("int", "long") and not more:
        return lambda rows: _numbers(rows.numbers().tolist())
    raise UnusualTypeError


def time_reader(kind: Any, more: str, a_second: int | None) -> tuple[Texts, bytes]:  # noqa: ANN401
    """What reads the time of an event, and what it takes behind it to be RFC 3339.

    Args:
        a_second: How many units are one, if the type does not say so; None for a text.
    """
    if kind == "string" and not more and a_second is None:
        return AvroRows.texts, b""
    unit = PARTS_OF_A_SECOND.get(more, a_second)
    if kind not in ("int", "long") or unit is None or more in DAYS:
        raise UnusualTypeError
    return lambda rows: times(rows, rows.numbers(), unit), b"Z"


def mark_reader(kind: Any, words: tuple[bytes, ...]) -> Skip:  # noqa: ANN401
    """What leaves a row whose text is none of these words."""
    if kind != "string":
        raise UnusualTypeError

    def leave_others(rows: AvroRows) -> None:
        found = rows.texts()
        rows.leave(~np.any([rows.are(found, word) for word in words], axis=0))

    return leave_others


def times(rows: AvroRows, numbers: Numbers, a_second: int) -> pa.Array:
    """Times since 1970, as RFC 3339 has them without a zone; rows outside of its years are left."""
    if a_second not in _UNITS:  # nanoseconds, of which our events have no use
        a_second, numbers = a_second // _PER_MICRO, numbers // _PER_MICRO
    first, end = _FIRST_DAY * _A_DAY * a_second, (_LAST_DAY + 1) * _A_DAY * a_second
    known = _within(rows, numbers, first, end - 1)
    written = number_array(known, pa.timestamp(_UNITS[a_second])).cast(pa.string())
    _, offsets, content = written.buffers()
    replaced = content.to_pybytes().replace(b" ", b"T")
    return byte_array(np.frombuffer(offsets, np.int32)[: len(written) + 1], replaced)


def _days(rows: AvroRows, numbers: Numbers) -> pa.Array:
    """Days since 1970 as ISO 8601 has them; rows outside of its years are left."""
    known = _within(rows, numbers, _FIRST_DAY, _LAST_DAY).astype(np.int32)
    return number_array(known, pa.date32()).cast(pa.string()).cast(pa.binary())


def _within(rows: AvroRows, numbers: Numbers, first: int, last: int) -> Numbers:
    odd = (numbers < first) | (numbers > last)
    rows.leave(odd)
    return np.where(odd, 0, numbers)


def _quoted(texts: pa.Array, more: bytes) -> pa.Array:
    return joined(b'"', texts, more + b'"')


def _one_of(words: list[bytes], rows: AvroRows, which: Numbers) -> pa.Array:
    known = _within(rows, which, 0, len(words) - 1)
    return _words(words).take(number_array(known, pa.int64()))


def _decimals(rows: AvroRows, scale: int) -> pa.Array:
    found = [decimal_of(unscaled, scale) for unscaled in rows.pieces(rows.texts())]
    rows.leave(np.array([one is None for one in found]))
    return _words([one or b"0" for one in found])


def _finite(rows: AvroRows, numbers: npt.NDArray[np.float64], is_short: bool) -> pa.Array:
    rows.leave(~np.isfinite(numbers))
    if is_short:  # of four bytes, as `shortest` has them
        numbers = numbers.astype(np.float32).astype(np.str_).astype(np.float64)
    return _numbers(numbers.tolist())


def _numbers(values: list[Any]) -> pa.Array:
    text = msgspec.json.encode(values)  # [1,2,3]
    ends = np.append(np.flatnonzero(np.frombuffer(text, np.uint8) == _COMMA), len(text) - 1)
    offsets = np.zeros(len(values) + 1, np.int32)
    offsets[1:] = ends - np.arange(1, len(values) + 1)  # once brackets and commas are gone
    return byte_array(offsets, text.translate(None, b"[,]"))


def _words(words: list[bytes]) -> pa.Array:
    ends = np.cumsum([0, *map(len, words)], dtype=np.int32)
    return byte_array(ends, b"".join(words))


def number_array(
    values: npt.NDArray[Any], kind: pa.DataType, there: Flags | None = None
) -> pa.Array:
    """Numbers as Arrow has them; `pyarrow.array` would import pandas: half a second, 100 MB.

    Args:
        values: (n,).
        kind: Of as many bits as they.
        there: Which are no null, (n,); None for all.
    """
    buffers = [None if there is None else bits_of(there), pa.py_buffer(values)]
    return pa.Array.from_buffers(kind, len(values), buffers)


def joined(*pieces: bytes | pa.Array) -> pa.Array:
    """Of each row all pieces, one behind the other; a null is that of JSON."""
    # Of bytes, Arrow would import pandas as well.
    known = [_words([one])[0] if isinstance(one, bytes) else one for one in (*pieces, b"")]
    null = {"null_handling": "replace", "null_replacement": b"null"}
    return pc.binary_join_element_wise(*known, **null)


def bits_of(flags: Flags) -> pa.Buffer:
    """Flags as Arrow has them."""
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def byte_array(offsets: npt.NDArray[np.int32], content: bytes) -> pa.Array:
    """Byte strings that lie one behind the other.

    Args:
        offsets: Where each begins, and the last ends, (n + 1,). They never lead back.
    """
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _there(rows: AvroRows, null: int) -> Flags:
    """Which rows have a value, in a type that may be null."""
    branch = rows.numbers()
    there: Flags = branch == 1 - null
    rows.leave(~there & (branch != null))
    return there


def leave_null(rows: AvroRows, null: int) -> None:
    """Leave the rows that have no value."""
    rows.leave(~_there(rows, null))


def skip_or_null(rows: AvroRows, null: int, skip: Skip) -> None:
    """Pass over a value where there is one."""
    there = _there(rows, null)
    if there.any():
        rows.of_those(there, skip)


def text_or_null(rows: AvroRows, null: int) -> Spans:
    """A text where there is one."""
    there = _there(rows, null)
    begins = np.minimum(rows.at, rows.ends)
    ends = begins.copy()
    if there.any():
        found = rows.of_those(there, AvroRows.texts)
        begins[there], ends[there] = found.begins, found.ends
    return Spans(begins, ends, there)


def json_or_null(rows: AvroRows, null: int, read: Json) -> pa.Array:
    """What is read where there is something."""
    there = _there(rows, null)
    if not there.any():
        return pa.nulls(len(rows), pa.binary())
    found = rows.of_those(there, read)
    return found.take(number_array(np.cumsum(there) - 1, pa.int64(), there))


def skipper(kind: Any) -> Skip:  # noqa: ANN401
    """What passes over a value that is no record."""
    if _is_enum(kind):
        return _symbol_skipper(len(kind["symbols"]))
    if kind in ("int", "long"):
        return AvroRows.skip_number
    if kind in ("string", "bytes"):
        return AvroRows.skip_text
    is_fixed = isinstance(kind, dict) and kind["type"] == "fixed"
    size = kind["size"] if is_fixed else _SIZES.get(str(kind))
    if size is None:
        raise UnusualTypeError
    return lambda rows: rows.skip(size)


def _symbol_skipper(symbols: int) -> Skip:
    def skip(rows: AvroRows) -> None:
        _within(rows, rows.numbers(), 0, symbols - 1)

    return skip


def all_of(skips: list[Skip]) -> Skip:
    """What passes over one after the other."""

    def skip(rows: AvroRows) -> None:
        for one in skips:
            one(rows)

    return skip


def _is_enum(kind: Any) -> bool:  # noqa: ANN401
    return isinstance(kind, dict) and kind["type"] == "enum"

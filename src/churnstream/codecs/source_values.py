"""Values as other serialisers write them, made what our own events hold, by the field's type.

Only what can be told for certain is made anew; whatever else stands there stays, and whoever
decodes the event says what is wrong with it.
"""

import re
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial

import msgspec
import numpy as np

from churnstream.codecs.connect_kinds import DAYS, DECIMAL, PARTS_OF_A_SECOND
from churnstream.codecs.written_numbers import Written
from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.fields import AnyField, Boolean, Date, Numeric, written

Remake = Callable[[bytes, str], bytes]
"""Takes a value's JSON and its type in a Connect schema ("" where none is known); its JSON anew."""

_NUMBER = re.compile(rb'"\s*(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*"')
_WHOLE = re.compile(rb"-?\d{1,20}")
_ZONED_DAY = re.compile(rb'"(\d{4}-\d\d-\d\d)Z"')
_EPOCH = date(1970, 1, 1)
_MAX_DECIMAL = 64  # bytes; 10^150 and more is no amount
_UNITS: Mapping[str, int] = {  # of a day
    **dict.fromkeys(DAYS, 1),
    **{kind: 86_400 * parts for kind, parts in PARTS_OF_A_SECOND.items()},
}
# Without a schema the size tells: days until the year 2500, milliseconds, microseconds, the rest.
_BY_SIZE = ((2e5, 1), (1e14, 86_400_000), (1e17, 86_400_000_000), (1e21, 86_400_000_000_000))


def remake_of(field: AnyField | None, written_number: Written | None = None) -> Remake | None:
    """What makes a field's values anew; None where there is nothing to do. None is the id.

    Args:
        written_number: Reads texts that are numbers, where they are not written as in JSON.
    """
    if field is None:
        return _id
    if isinstance(field, Numeric):
        return partial(_number, written_number=written_number) if written_number else _number
    if isinstance(field, Date):
        return _date
    return _flag(field) if isinstance(field, Boolean) else None


def _id(raw: bytes, _: str) -> bytes:
    """A whole number names a customer as its text does."""
    return b'"%b"' % raw if _WHOLE.fullmatch(raw) else raw


def _number(raw: bytes, kind: str, written_number: Written | None = None) -> bytes:
    if raw[:1] == b"{":
        return _scaled(raw)
    if raw[:1] != b'"':
        return raw
    if kind.startswith(DECIMAL):
        return decimal_text(raw, kind.removeprefix(DECIMAL))
    if written_number:
        return written_number(raw)
    found = _NUMBER.fullmatch(raw)
    return found[1] if found else raw


def decimal_text(raw: bytes, scale: str) -> bytes:
    """A Connect decimal: the unscaled number as bytes, in base64."""
    try:
        found = decimal_of(b64decode(raw[1:-1], validate=True), int(scale))
    except (NoBase64, ValueError):
        return raw
    return raw if found is None else found


@lru_cache(maxsize=10_000)  # prices and balances that many customers have
def decimal_of(unscaled: bytes, scale: int) -> bytes | None:
    """A decimal as JSON has it; None if it is larger than any amount.

    Args:
        unscaled: The number without its point, high bytes first.
        scale: How many digits stand behind the point.
    """
    if not 0 < len(unscaled) <= _MAX_DECIMAL or abs(scale) > _MAX_DECIMAL:
        return None
    number = Decimal(int.from_bytes(unscaled, "big", signed=True)).scaleb(-scale)
    return f"{number:f}".encode()


def _scaled(raw: bytes) -> bytes:
    """A decimal that says its own scale: Debezium's for a column that has none."""
    try:
        found = msgspec.json.decode(raw, type=_VariableScaleDecimal)
    except UNDECODABLE:
        return raw
    text = bytes(found.value)
    made = decimal_text(text, str(found.scale)) if text[:1] == b'"' else text
    return raw if made is text else made


def _date(raw: bytes, kind: str) -> bytes:
    """A day as a whole number: days, or smaller parts, since 1970. Or as text with a zone."""
    if found := _ZONED_DAY.fullmatch(raw):
        return b'"%b"' % found[1]
    if not _WHOLE.fullmatch(raw):
        return raw
    number = int(raw)
    unit = _UNITS.get(kind) or next((unit for limit, unit in _BY_SIZE if abs(number) < limit), 0)
    day = day_of(number // unit) if unit else None
    return b'"%b"' % day.encode() if day else raw


@lru_cache(maxsize=50_000)  # a century and more
def day_of(number: int) -> str | None:
    """A day as ISO 8601 has it, counted since 1970; None outside of the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(days=number)).isoformat()
    except OverflowError:
        return None


def _flag(field: Boolean) -> Remake | None:
    no, yes = written(field)
    if isinstance(no, bool):
        return None
    meant = {b"false": msgspec.json.encode(no), b"true": msgspec.json.encode(yes)}
    return lambda raw, _: meant.get(raw, raw)


class _VariableScaleDecimal(msgspec.Struct, forbid_unknown_fields=True):
    """A number without its point, as bytes in base64, and how many digits stand behind that."""

    scale: int
    value: msgspec.Raw


def shortest(number: float) -> float:
    """A number of four bytes as texts have it: 0.1, which in eight bytes is 0.10000000149011612."""
    return float(str(np.float32(number)))


def since_1970(raw: bytes, a_second: int) -> str | None:
    """A timestamp as RFC 3339 has it; None if there is none in the years 1 to 9999.

    Args:
        raw: A whole number, or its text.
        a_second: How many units are a second.
    """
    found = _WHOLE.fullmatch(raw.strip(b'" '))
    return timestamp_of(int(found[0]), a_second) if found else None


def timestamp_of(number: int, a_second: int) -> str | None:
    """The same for a number."""
    seconds, parts = divmod(number, a_second)
    whole = _whole_second(seconds)
    return whole and f"{whole}.{parts * 1_000_000 // a_second:06}Z"


@lru_cache(maxsize=1024)  # events come in their order, or nearly
def _whole_second(seconds: int) -> str | None:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return moment.replace(tzinfo=None).isoformat()

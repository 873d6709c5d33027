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
from functools import lru_cache

import msgspec

from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.fields import AnyField, Boolean, Date, Numeric, written

Remake = Callable[[bytes, str], bytes]
"""Takes a value's JSON and its type in a Connect schema ("" where none is known); its JSON anew."""

_NUMBER = re.compile(rb'"\s*(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*"')
_WHOLE = re.compile(rb"-?\d{1,20}")
_ZONED_DAY = re.compile(rb'"(\d{4}-\d\d-\d\d)Z"')
_DECIMAL = "org.apache.kafka.connect.data.Decimal:"
_EPOCH = date(1970, 1, 1)
_MAX_DECIMAL = 64  # bytes; 10^150 and more is no amount
_UNITS: Mapping[str, int] = {  # of a day
    "io.debezium.time.Date": 1,
    "org.apache.kafka.connect.data.Date": 1,
    "io.debezium.time.Timestamp": 86_400_000,
    "org.apache.kafka.connect.data.Timestamp": 86_400_000,
    "io.debezium.time.MicroTimestamp": 86_400_000_000,
    "io.debezium.time.NanoTimestamp": 86_400_000_000_000,
}
# Without a schema the size tells: days until the year 2500, milliseconds, microseconds, the rest.
_BY_SIZE = ((2e5, 1), (1e14, 86_400_000), (1e17, 86_400_000_000), (1e21, 86_400_000_000_000))


def remake_of(field: AnyField | None) -> Remake | None:
    """What makes a field's values anew; None where there is nothing to do. None is the id."""
    if field is None:
        return _id
    if isinstance(field, Numeric):
        return _number
    if isinstance(field, Date):
        return _date
    return _flag(field) if isinstance(field, Boolean) else None


def _id(raw: bytes, _: str) -> bytes:
    """A whole number names a customer as its text does."""
    return b'"%b"' % raw if _WHOLE.fullmatch(raw) else raw


def _number(raw: bytes, kind: str) -> bytes:
    if raw[:1] == b"{":
        return _scaled(raw)
    if raw[:1] != b'"':
        return raw
    if kind.startswith(_DECIMAL):
        return _decimal(raw, kind.removeprefix(_DECIMAL))
    found = _NUMBER.fullmatch(raw)
    return found[1] if found else raw


def _decimal(raw: bytes, scale: str) -> bytes:
    """A Connect decimal: the unscaled number as bytes, high ones first, in base64."""
    try:
        unscaled = b64decode(raw[1:-1], validate=True)
        places = int(scale)
    except (NoBase64, ValueError):
        return raw
    if not 0 < len(unscaled) <= _MAX_DECIMAL or abs(places) > _MAX_DECIMAL:
        return raw
    number = Decimal(int.from_bytes(unscaled, "big", signed=True)).scaleb(-places)
    return f"{number:f}".encode()


def _scaled(raw: bytes) -> bytes:
    """A decimal that says its own scale: Debezium's for a column that has none."""
    try:
        found = msgspec.json.decode(raw, type=_VariableScaleDecimal)
    except UNDECODABLE:
        return raw
    text = bytes(found.value)
    made = _decimal(text, str(found.scale)) if text[:1] == b'"' else text
    return raw if made is text else made


def _date(raw: bytes, kind: str) -> bytes:
    """A day as a whole number: days, or smaller parts, since 1970. Or as text with a zone."""
    if found := _ZONED_DAY.fullmatch(raw):
        return b'"%b"' % found[1]
    if not _WHOLE.fullmatch(raw):
        return raw
    number = int(raw)
    unit = _UNITS.get(kind) or next((unit for limit, unit in _BY_SIZE if abs(number) < limit), 0)
    try:
        return b'"%b"' % (_EPOCH + timedelta(days=number // unit)).isoformat().encode()
    except (OverflowError, ZeroDivisionError):
        return raw


def _flag(field: Boolean) -> Remake | None:
    no, yes = written(field)
    if isinstance(no, bool):
        return None
    meant = {b"false": msgspec.json.encode(no), b"true": msgspec.json.encode(yes)}
    return lambda raw, _: meant.get(raw, raw)


@lru_cache(maxsize=64)
def connect_kinds(schema: bytes | None) -> Mapping[str, str]:
    """By name the type of each field in a Connect schema, as Debezium puts it beside a change.

    A decimal's says its scale, too, as `org.apache.kafka.connect.data.Decimal:2`.
    """
    if schema is None:
        return {}
    try:
        found = msgspec.json.decode(schema, type=_ConnectField)
    except (msgspec.DecodeError, RecursionError):
        return {}
    row = next((field for field in found.fields if field.field == "after"), found)
    return {f.field: f.name + _scale(f) for f in row.fields if f.field and f.name}


def _scale(field: "_ConnectField") -> str:
    return f":{field.parameters['scale']}" if "scale" in field.parameters else ""


class _VariableScaleDecimal(msgspec.Struct, forbid_unknown_fields=True):
    """A number without its point, as bytes in base64, and how many digits stand behind that."""

    scale: int
    value: msgspec.Raw


class _ConnectField(msgspec.Struct):
    """A type of a Connect schema, and the fields in it."""

    field: str | None = None
    name: str | None = None
    fields: "list[_ConnectField]" = []
    parameters: dict[str, str] = {}


def since_1970(raw: bytes, a_second: int) -> str | None:
    """A timestamp as RFC 3339 has it; None if there is none in the years 1 to 9999.

    Args:
        raw: A whole number, or its text.
        a_second: How many units are a second.
    """
    found = _WHOLE.fullmatch(raw.strip(b'" '))
    if not found:
        return None
    seconds, parts = divmod(int(found[0]), a_second)
    whole = _whole_second(seconds)
    return whole and f"{whole}.{parts * 1_000_000 // a_second:06}Z"


@lru_cache(maxsize=1024)  # events come in their order, or nearly
def _whole_second(seconds: int) -> str | None:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return moment.replace(tzinfo=None).isoformat()

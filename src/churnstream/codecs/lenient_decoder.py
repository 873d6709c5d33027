"""The second look at a record that the typed decoder does not take.

It reads what means the same in other words, a number that stands as text for example, and else says
which field is at fault and why. It takes ten times as long, which is no matter for the few.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import msgspec

from churnstream.codecs.repeated_fields import repeated_field
from churnstream.escaping import quote
from churnstream.records.rejection import UNDECODABLE, Rejection
from churnstream.records.wire_types import EVENT_TS, Timestamp
from churnstream.schema.fields import MissingRule, Value
from churnstream.schema.record_types import Event, event_type
from churnstream.schema.schema import Schema
from churnstream.schema.values import Problem, plain, read, shown

Members = Mapping[str, msgspec.Raw]

NO_NUMBER = "is NaN or infinite, which JSON does not have"
_TOO_LARGE = "is a number larger than any that is computed with"
_NESTED = re.compile(
    r"Expected .*, got `(?P<kind>array|object)` - at `\$\.(?P<name>.*)`", re.DOTALL
)
_KINDS = {"[": "array", '"': "str", "t": "bool", "f": "bool", "n": "null"}

_each_field = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_leniently(value: bytes, schema: Schema, make: Callable[..., Event]) -> Event | Rejection:
    """The event in a record, or why there is none.

    Args:
        value: Not empty.
        schema: What an event has.
        make: The event's type.
    """
    found = _object_in(value, schema)
    if isinstance(found, Rejection):
        return found
    event: dict[str, Any] = {}
    for name, attribute in schema.attributes.items():
        read_one = _read_field(schema, name, found)
        if isinstance(read_one, Rejection):
            return read_one
        event[attribute] = read_one
    timestamp = _timestamp(found)
    if isinstance(timestamp, Rejection):
        return timestamp
    return make(**event, event_ts=timestamp)


def _object_in(value: bytes, schema: Schema) -> dict[str, msgspec.Raw] | Rejection:
    """The members of the object that a value holds, each as its JSON.

    What is in fields that nobody knows is no matter, not even a number that no computer holds.
    """
    try:
        found = _each_field(value)
    except msgspec.ValidationError:
        return _no_object(value)
    except UNDECODABLE as error:
        return undecodable(value, error, schema)
    return repetition(value, schema) or found


def repetition(value: bytes, schema: Schema) -> Rejection | None:
    """The rejection of an object in which a field stands twice, or that no parser reads in full."""
    try:
        name = repeated_field(value)
    except (ValueError, RecursionError) as error:  # in what a typed decoder passes over
        return undecodable(value, error, schema)
    return Rejection("duplicate_field", quote(name), "appears more than once") if name else None


def undecodable(value: bytes, error: Exception, schema: Schema) -> Rejection:
    """What a parser stumbles over, as a rejection."""
    if isinstance(error, RecursionError):
        return _nested_field(value, schema) or Rejection(
            "not_json", "value", "is nested too deeply"
        )
    if isinstance(error, UnicodeDecodeError):
        return Rejection("not_utf8", "value", f"is not UTF-8: {error.reason}")
    if name := _field_that_is_no_number(value):
        return Rejection("out_of_range", _named(name, schema), NO_NUMBER)
    problem = str(error).replace("`", "").removeprefix("JSON is malformed: ")
    return Rejection("not_json", "value", f"is not JSON: {problem[:1].lower()}{problem[1:]}")


def _nested_field(value: bytes, schema: Schema) -> Rejection | None:
    """The rejection of a known field that holds an array or object, however deep it is."""
    try:
        msgspec.json.decode(value, type=event_type(schema))
    except RecursionError:
        return None
    except msgspec.DecodeError as error:
        found = _NESTED.fullmatch(str(error))
    if not found:
        return None
    nested = {found["name"]: msgspec.Raw(b"[]" if found["kind"] == "array" else b"{}")}
    read_one = (
        _timestamp(nested)
        if found["name"] == EVENT_TS
        else _read_field(schema, found["name"], nested)
    )
    return read_one if isinstance(read_one, Rejection) else None


def _named(name: str, schema: Schema) -> str:
    known = name in schema.attributes or name == EVENT_TS
    return name if known else quote(name)


def _no_object(value: bytes) -> Rejection:
    kind = _KINDS.get(value.lstrip()[:1].decode("latin-1"), "number")
    return Rejection("not_an_object", "value", f"expected object, got {kind}")


def _field_that_is_no_number(value: bytes) -> str | None:
    """The first field that holds NaN, Infinity or 1e999, which Python's parser lets through."""
    try:
        pairs: Any = json.loads(value.decode(), object_pairs_hook=list, parse_int=str)
    except (ValueError, RecursionError):
        return None
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, tuple) and isinstance(pair[1], float) and not isfinite(pair[1]):
            return str(pair[0])
    return None


def _read_field(schema: Schema, name: str, found: Members) -> Any:  # noqa: ANN401
    """The value of a field, id or label, or a `Rejection`."""
    field = schema.fields.get(name)
    if schema.label and name == schema.label.field:
        label = _parsed(name, found)
        return None if isinstance(label, Rejection) else label
    if name not in found and not (field and field.missing == "allow"):
        return Rejection("missing_field", name, "is missing")
    raw = _parsed(name, found)
    if isinstance(raw, Rejection):
        return raw
    return _id(name, raw) if field is None else _value(schema, name, raw, found)


def _parsed(name: str, found: Members) -> Any:  # noqa: ANN401
    """What a member holds, None if there is none, or a `Rejection`."""
    try:
        return msgspec.json.decode(found.get(name, b"null"))
    except RecursionError:  # just as deep as a parser goes
        return []
    except msgspec.DecodeError:  # all else about it was seen to be JSON
        return Rejection("out_of_range", name, _TOO_LARGE)


def _value(schema: Schema, name: str, raw: object, found: Members) -> Value | Rejection:
    field = schema.fields[name]
    value = read(field, raw)
    if isinstance(value, Problem):
        return Rejection(value.reason, name, value.detail)
    if value is None and isinstance(field.missing, MissingRule):
        return _where_allowed(schema, name, field.missing, found)
    return value


def _id(name: str, raw: object) -> str | Rejection:
    if raw is None:
        return Rejection("wrong_type", name, "is null; it must name a customer")
    text = plain(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else None
    if text is None:
        return Rejection("wrong_type", name, f"expected str, got {json_kind_of(raw)}")
    return text or Rejection("invalid_value", name, "is empty; it must name a customer")


def _where_allowed(
    schema: Schema, name: str, rule: MissingRule, found: Members
) -> Rejection | None:
    """None where a value may be missing, by what stands in other fields."""
    for other, wanted in rule.only_where.items():
        actual = _read_field(schema, other, found)
        if isinstance(actual, Rejection):
            return actual
        if plain(actual) != wanted:
            detail = f"is blank, which only fits {other} {wanted}, not {shown(actual)}"
            return Rejection("invalid_value", name, detail)
    return None


def _timestamp(found: Members) -> datetime | Rejection:
    if EVENT_TS not in found:
        return Rejection("missing_field", EVENT_TS, "is missing")
    raw = _parsed(EVENT_TS, found)
    if isinstance(raw, Rejection):
        return raw
    if not isinstance(raw, str):
        return Rejection("wrong_type", EVENT_TS, f"expected str, got {json_kind_of(raw)}")
    try:
        return in_utc(msgspec.convert(raw, Timestamp))
    except msgspec.ValidationError as error:
        problem = str(error).replace("`", "")
        return Rejection("invalid_value", EVENT_TS, f"{problem[:1].lower()}{problem[1:]}")


def in_utc(timestamp: datetime) -> datetime | Rejection:
    """A timestamp in UTC, or why there is none."""
    try:
        return timestamp.astimezone(UTC)
    except OverflowError:
        return Rejection("out_of_range", EVENT_TS, "is outside the years 1 to 9999 in UTC")


def json_kind_of(raw: object) -> str:
    """What JSON calls the type of a value."""
    names = {bool: "bool", dict: "object", list: "array", type(None): "null"}
    return names.get(type(raw), type(raw).__name__)

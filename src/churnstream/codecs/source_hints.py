"""What the schema's `source` would have to say for a record that was rejected.

Only what can be seen in the record itself is proposed; it is a hint for whoever reads the dead
letter, and changes nothing.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from churnstream.codecs.registry_framing import HEADER, schema_id_of
from churnstream.codecs.source_records import Path
from churnstream.codecs.written_numbers import written_numbers
from churnstream.files.file_form import FileForm
from churnstream.files.number_marks import number_marks
from churnstream.records.rejection import UNDECODABLE, Rejection
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import EventSource, plain_name
from churnstream.schema.fields import Numeric
from churnstream.schema.schema import Schema

_MAX_BYTES = 64 * 1024  # a look at more would take longer than a hint is worth
_MAX_DEPTH = 6
_TIMES = re.compile(r"time|date|_at$|^at$|^ts$|_ts$|stamp|(?-i:[a-z]At$)", re.IGNORECASE)
_TYPES = re.compile(r"^(event)?[._-]?(type|name|kind)$", re.IGNORECASE)
_LEAST = 4  # letters of a name that is sought in others
_TIME_IN = {"cloudevents": "time", "debezium": "source.ts_ms"}
_FIRST = 1e8  # seconds: a smaller number is no time since 1973
_UNITS = ((1e11, "epoch-seconds"), (1e14, "epoch-millis"), (1e17, "epoch-micros"))


def with_hint(why: Rejection, value: bytes | None, key: bytes | None, schema: Schema) -> Rejection:
    """A rejection that also names the line of `source`, where one would help."""
    line = _line(why, value, key, schema)
    if line is None:
        return why
    aim = "pass it over" if line.startswith(("only: ", "tombstones: ")) else "read it"
    hint = f"{why.detail}; to {aim}, say in the schema: source: {{{line}}}"
    return msgspec.structs.replace(why, detail=hint)


def _line(why: Rejection, value: bytes | None, key: bytes | None, schema: Schema) -> str | None:
    source = schema.source or EventSource()
    if value is None:
        return "tombstones: pass-over" if why.reason == "empty" else None
    if source.format == "json" and value[:1] == b"\0" and schema_id_of(value) is not None:
        return f"format: {'json-schema' if value[HEADER : HEADER + 1] == b'{' else 'avro'}"
    event = _object(value) if len(value) <= _MAX_BYTES else None
    if event is None:
        return None
    if source.envelope is None and (preset := _preset(event)):
        return f"envelope: {preset}"
    return _line_for(why, event, key, schema)


def _line_for(
    why: Rejection, event: dict[str, Any], key: bytes | None, schema: Schema
) -> str | None:
    if why.field == "key":
        return _key_line(key, schema)
    if why.field == EVENT_TS:
        return _time_line(event, why, schema.source or EventSource())
    if why.reason == "missing_field":
        return _field_line(why, event, schema)
    is_number = isinstance(schema.fields.get(why.field), Numeric)
    return _number_line(event, why.field, schema) if is_number else None


def _object(value: bytes | None) -> dict[str, Any] | None:
    try:
        event = msgspec.json.decode(value or b"")
    except UNDECODABLE:
        return None
    return event if isinstance(event, dict) else None


def _preset(event: dict[str, Any]) -> str | None:
    inner = event.get("payload") if isinstance(event.get("payload"), dict) else event
    if isinstance(inner, dict) and "op" in inner and ("after" in inner or "before" in inner):
        return "debezium"
    return "cloudevents" if "specversion" in event and "data" in event else None


def _key_line(key: bytes | None, schema: Schema) -> str:
    """The place of the id in a key that is an object, or that it does not matter."""
    places = [path for path, name, _ in _members(_object(key), ()) if _same(name, schema.id)]
    return f"key: {'.'.join(places[0])}" if places else "key: any"


def _time_line(event: dict[str, Any], why: Rejection, source: EventSource) -> str:
    """Where a time is, and how it is written, as far as that can be seen."""
    if why.reason != "missing_field":
        where = (source.time or _TIME_IN.get(source.envelope or "", EVENT_TS)).split(".")
        unit = next(
            (_unit(value) for path, _, value in _members(event, ()) if [*path] == where), None
        )
        return f"time_format: {unit}" if unit else "time_format: local, zone: Europe/Berlin"
    for path, name, value in _members(event, ()):
        if _TIMES.search(name) and isinstance(value, int | str):
            if unit := _unit(value):
                return f"time: {'.'.join(path)}, time_format: {unit}"
            if isinstance(value, str) and "T" in value:
                return f"time: {'.'.join(path)}"
    return "time: record"


def _unit(value: object) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return next((unit for limit, unit in _UNITS if _FIRST < value < limit), None)


def _field_line(why: Rejection, event: dict[str, Any], schema: Schema) -> str | None:
    """The object that holds the fields, or the place and name of the one that is missing."""
    wanted = (schema.id, *schema.fields)
    places = [path for path, name, _ in _members(event, ()) if _same(name, why.field)]
    places = places or _places_of_longer_names(why.field, event, wanted)
    if not places:
        return _other_type(event, schema)
    *above, name = places[0]
    found: Any = event
    for one in above:
        found = found[one]
    if above and name == why.field and sum(own in found for own in wanted) * 2 > len(wanted):
        return f"envelope: {'.'.join(above)}"
    return f"names: {{{why.field}: {'.'.join(places[0])}}}"


def _places_of_longer_names(
    field: str, event: dict[str, Any], wanted: tuple[str, ...]
) -> list[Path]:
    """Where a name holds the field's, `studioName` that of `studio`; none if there are several."""
    own, others = plain_name(field), {plain_name(name) for name in wanted}
    found = [
        path
        for path, name, value in _members(event, ())
        if own in (longer := plain_name(name)) and longer not in others
        if not isinstance(value, dict | list)
    ]
    return found if len(found) == 1 and len(own) >= _LEAST else []


def _other_type(event: dict[str, Any], schema: Schema) -> str | None:
    """An event that holds no field of a customer may be of another type."""
    names = {plain_name(name) for _, name, _ in _members(event, ())}
    if any(plain_name(name) in names for name in (schema.id, *schema.fields)):
        return None
    kinds = [
        name for name, value in event.items() if _TYPES.search(name) and isinstance(value, str)
    ]
    return f"only: {{{kinds[0]}: the type of customers' events}}" if kinds else None


def _number_line(event: dict[str, Any], field: str, schema: Schema) -> str | None:
    """How a number is written that is a text."""
    own = (schema.source or EventSource()).names.get(field, field).rpartition(".")[2]
    texts = [v for _, name, v in _members(event, ()) if name == own and isinstance(v, str)][:1]
    form, _ = number_marks({field: texts}, FileForm())
    raw = msgspec.json.encode(texts[0] if texts else "")
    if written_numbers(form)(raw) == raw:
        return None
    line = f'decimal: "{form.decimal}"'
    return f'{line}, thousands: "{form.thousands}"' if form.thousands else line


def _members(found: object, above: Path) -> Iterator[tuple[Path, str, Any]]:
    """The members of an object and of those in it: path, name and value."""
    if isinstance(found, dict) and len(above) < _MAX_DEPTH:
        for name, value in found.items():
            yield (*above, name), name, value
        for name, value in found.items():
            yield from _members(value, (*above, name))


def _same(one: str, other: str) -> bool:
    return plain_name(one) == plain_name(other)

"""From the record of somebody else's topic to an event in our own form, as bytes.

The schema's `source` says where a customer is. What is found there is put together anew as the
event that our own producer would have sent, so that one decoder checks all of them alike.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from churnstream.codecs.connect_kinds import connect_kinds
from churnstream.codecs.opened_json import OpenedJson, UnusableJsonError, json_of, path_of
from churnstream.codecs.own_layout import own_layouts
from churnstream.codecs.parsed_splice import ParsedSplicer
from churnstream.codecs.source_keys import KeyReader
from churnstream.codecs.source_records import Arrived, Headers, Opened, Path
from churnstream.codecs.source_splice import Splicer
from churnstream.codecs.source_times import TimeReader
from churnstream.codecs.source_values import Remake, remake_of
from churnstream.codecs.written_numbers import written_numbers
from churnstream.files.file_form import FileForm
from churnstream.records.passed_over import PassedOver, Rule
from churnstream.records.rejection import Rejection
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import ANY_KEY, PRESETS, EventSource
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain

_ROWS = {b'"c"', b'"r"', b'"u"'}  # operations after which there is a row
_DELETED = b'"d"'
_PAYLOAD, _SCHEMA = ("payload",), ("schema",)
_ATTRIBUTE = "ce_"  # begins the headers of a CloudEvent in binary mode


class SourceReader:
    """Finds customers in the events of a topic as a schema's `source` says.

    Args:
        schema: With a source.

    Attributes:
        layouts: Where customers are in records that are usual.
    """

    def __init__(self, schema: Schema) -> None:
        source = schema.source
        assert source is not None  # noqa: S101  # for the type checker
        self._schema, self._source = schema, source
        self._debezium = source.envelope == "debezium"
        self._cloudevents = source.envelope == "cloudevents"
        own = source.envelope if source.envelope and source.envelope not in PRESETS else None
        self._inside = path_of(own) if own else ()
        self._groups = list(_groups(schema))
        self._id_path = schema.source_paths[schema.id]
        self._only = {path_of(path): _texts(wanted) for path, wanted in source.only.items()}
        self._times = TimeReader(source)
        self._splice = Splicer(schema, self._times)
        self._splice_parsed = ParsedSplicer(schema, self._times)
        self._key = None if source.key == ANY_KEY else KeyReader(schema, source)
        self.layouts = own_layouts(schema, self._times, self._key)

    def __call__(self, record: Arrived) -> Opened | PassedOver | Rejection:
        """The event in a record, by which rule it is passed over, or why there is none."""
        splice = self._splice_parsed if record.parsed else self._splice
        return splice(record) or self.take_apart(record)

    def take_apart(self, record: Arrived) -> Opened | PassedOver | Rejection:
        """The same, every value of it looked at."""
        if record.value is None and self._source.passes_over_tombstones:
            return PassedOver("tombstone")
        if not record.value:
            problem = "is null (a tombstone)" if record.value is None else "is empty"
            return Rejection("empty", "value", f"{problem}; expected an event as JSON")
        try:
            value = json_of(record.parsed.content) if record.parsed else record.value
            return self._opened(OpenedJson(value, self._schema), record)
        except UnusableJsonError as error:
            return error.rejection

    def _opened(self, event: OpenedJson, record: Arrived) -> Opened | PassedOver | Rejection:
        attributes = _attributes(record.headers) if self._cloudevents else {}
        outer = _PAYLOAD if self._debezium and event.members(_PAYLOAD) else ()
        if rule := self._rule(event, outer, attributes):
            return PassedOver(rule)
        inside = self._place(outer, in_headers=bool(attributes))
        if inside and event.find(inside) is None:
            detail = (
                f"has no {'.'.join(inside)}, which `source` in the schema says holds the fields"
            )
            return Rejection("missing_field", "value", detail)
        kinds = _kinds(event, inside, record)
        members = [part for group in self._groups for part in group.json(event, inside, kinds)]
        time = self._time(event, self._time_paths(outer, inside), kinds, record, attributes)
        if isinstance(time, Rejection):
            return time
        value = b"{" + b",".join([*members, time]) + b"}"
        return Opened(value, self._key_of(event, inside, record.key))

    def _rule(self, event: OpenedJson, outer: Path, attributes: Mapping[str, str]) -> Rule | None:
        """By which rule a record is passed over."""
        for path, wanted in self._only.items():
            found = attributes.get(path[-1]) if attributes else _text(event.find(path))
            if found not in wanted:
                return "filtered"
        if not self._debezium:
            return None
        operation = event.find((*outer, "op"))
        if operation in _ROWS:
            return None
        return "deleted" if operation == _DELETED else "no_row"

    def _place(self, outer: Path, *, in_headers: bool) -> Path:
        """Where the object with the fields is."""
        if self._debezium:
            return (*outer, "after")
        if self._cloudevents:
            return () if in_headers else ("data",)
        return self._inside

    def _time_paths(self, outer: Path, inside: Path) -> tuple[Path, ...]:
        """Where the event's time may be, the best first."""
        if self._times.path:
            return (self._times.path,)
        if self._debezium:
            return (*outer, "source", "ts_ms"), (*outer, "ts_ms")
        return (("time",) if self._cloudevents else (*inside, EVENT_TS),)

    def _time(
        self,
        event: OpenedJson,
        paths: tuple[Path, ...],
        kinds: Mapping[Path, str],
        record: Arrived,
        attributes: Mapping[str, str],
    ) -> bytes | Rejection:
        """The member with the event's time, or why there is none."""
        member = self._times.member
        if self._times.is_of_record:
            return member(None, record.timestamp)
        if attributes and not self._times.path:
            named = attributes.get("time")
            return member(msgspec.json.encode(named) if named else None, record.timestamp)
        for path in paths:
            if raw := event.find(path):
                return member(raw, record.timestamp, kinds.get(path, ""))
        return member(None, record.timestamp)

    def _key_of(self, event: OpenedJson, inside: Path, key: bytes | None) -> bytes | None:
        """The part of a record's key that must be the id: the id itself where it is any key's."""
        if self._key:
            return self._key(key)
        found = event.find((*inside, *self._id_path))
        return (_text(found) or "").encode("utf-8", "surrogatepass")


class _MembersFrom(NamedTuple):
    """Members of our own event that come from one object.

    Attributes:
        path: Of that object, from where the fields are.
        members: Of each the name there, our own with the colon behind it, and what makes its value
            anew.
    """

    path: Path
    members: list[tuple[str, bytes, Remake | None]]

    def json(self, event: OpenedJson, inside: Path, kinds: Mapping[Path, str]) -> list[bytes]:
        """The members that the object has."""
        at = (*inside, *self.path)
        found, kind = event.members(at).get, kinds.get
        return [
            begin + (remake(bytes(raw), kind((*at, name), "")) if remake else bytes(raw))
            for name, begin, remake in self.members
            if (raw := found(name)) is not None
        ]


def _groups(schema: Schema) -> Iterator[_MembersFrom]:
    """All members, by the object that holds them."""
    label = schema.label.field if schema.label else None
    groups: dict[Path, list[tuple[str, bytes, Remake | None]]] = {}
    source = schema.source or EventSource()
    form = FileForm(decimal=source.decimal, thousands=source.thousands)
    written = written_numbers(form) if source.numbers_are_written else None
    for name, (*above, own) in schema.source_paths.items():
        remake = None if name == label else remake_of(schema.fields.get(name), written)
        member = (own, msgspec.json.encode(name) + b":", remake)
        groups.setdefault(tuple(above), []).append(member)
    return (_MembersFrom(path, members) for path, members in groups.items())


def _kinds(event: OpenedJson, inside: Path, record: Arrived) -> Mapping[Path, str]:
    """What is known of the types of values; Connect puts a schema beside its `payload`."""
    if record.parsed:
        return record.parsed.kinds
    if inside[:1] != _PAYLOAD:
        return {}
    return {(*_PAYLOAD, *path): kind for path, kind in connect_kinds(event.find(_SCHEMA)).items()}


def _texts(wanted: str | tuple[str, ...]) -> set[str]:
    return {wanted} if isinstance(wanted, str) else set(wanted)


def _text(raw: bytes | None) -> str | None:
    """A JSON value as the text that a schema file would have."""
    if raw is None:
        return None
    try:
        return plain(msgspec.json.decode(raw))
    except msgspec.DecodeError:
        return None


def is_cloud_event(headers: Headers) -> bool:
    """Whether a record is a CloudEvent in binary mode, whose headers say so."""
    return bool(_attributes(headers))


def _attributes(headers: Headers) -> Mapping[str, str]:
    """The attributes of a CloudEvent in binary mode; none in structured mode."""
    found = {
        name.removeprefix(_ATTRIBUTE): value.decode(errors="replace")
        if isinstance(value, bytes)
        else value or ""
        for name, value in headers
        if name.startswith(_ATTRIBUTE)
    }
    return found if "specversion" in found else {}

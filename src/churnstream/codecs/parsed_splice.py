"""The usual events that are no JSON, put into our own form; see `churnstream.codecs.source_splice`.

What a value holds is at hand here, so that names and keys need no longer way.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from churnstream.codecs.opened_json import UnusableJsonError, json_of, path_of
from churnstream.codecs.source_keys import KeyReader
from churnstream.codecs.source_records import Arrived, Opened, Parsed, Path
from churnstream.codecs.source_times import TimeReader
from churnstream.codecs.source_values import Remake, remake_of
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import ANY_KEY, PRESETS
from churnstream.schema.schema import Schema

_ROWS = {"c", "r", "u"}  # operations of Debezium after which there is a row


class ParsedSplicer:
    """Picks customers out of values.

    Args:
        schema: With a source.
    """

    def __init__(self, schema: Schema, times: TimeReader) -> None:
        source = schema.source
        assert source is not None  # noqa: S101  # for the type checker
        self._times, self._id = times, schema.id
        self._is_never_usual = bool(source.only) or source.numbers_are_written
        self._is_change = source.envelope == "debezium"
        is_own = source.envelope and source.envelope not in PRESETS
        presets: dict[str, Path] = {"debezium": ("after",), "cloudevents": ("data",)}
        own = path_of(source.envelope) if is_own and source.envelope else ()
        self._inside = presets.get(source.envelope or "", own)
        commits: dict[str, Path] = {"debezium": ("source", "ts_ms"), "cloudevents": ("time",)}
        self._time = times.path or commits.get(source.envelope or "", (*self._inside, EVENT_TS))
        self._paths, self._is_renamed = schema.source_paths, schema.is_renamed
        # The time stands where our own events have it, and as they do.
        self._may_be_own = (
            not (schema.is_renamed or times.is_of_record)
            and self._time == (*self._inside, EVENT_TS)
            and source.time_format == "rfc3339"
        )
        self._is_own = self._may_be_own
        self._remakes = {name: remake_of(field) for name, field in schema.fields.items()}
        self._key_of = None if source.key == ANY_KEY else KeyReader(schema, source)
        self._kinds: Mapping[Path, str] = {}
        self._kinded: list[tuple[str, str, Remake]] = []

    def __call__(self, record: Arrived) -> Opened | None:
        """The event in a record; None if the record is not usual."""
        parsed = record.parsed
        row = parsed and _at(parsed.content, self._inside)
        if not parsed or not isinstance(row, dict) or self._is_never_usual:
            return None
        if self._is_change and parsed.content.get("op") not in _ROWS:
            return None
        if parsed.kinds is not self._kinds:
            self._note_kinds(parsed.kinds)
        is_own = self._is_own and not self._kinded and isinstance(row.get(self._id), str)
        time = None if is_own else self._member(parsed, record.timestamp)
        fields = row if is_own else self._fields(row)
        own = fields.get(self._id)
        if not isinstance(own, str) or not (is_own or time):
            return None
        key = self._key_of(record.key) if self._key_of else own.encode("utf-8", "surrogatepass")
        try:
            value = json_of(fields)
        except UnusableJsonError:
            return None
        return Opened(value[:-1] + b"," + time + b"}" if time else value, key, is_spliced=True)

    def _member(self, parsed: Parsed, timestamp: int) -> bytes | None:
        """The member with the event's time."""
        found = None if self._times.is_of_record else _at(parsed.content, self._time)
        raw = None if found is None else msgspec.json.encode(found)
        member = self._times.member(raw, timestamp, parsed.kinds.get(self._time, ""))
        return member if isinstance(member, bytes) else None

    def _fields(self, row: dict[str, Any]) -> dict[str, Any]:
        """The fields under their own names, as far as they are there."""
        if self._is_renamed:
            found = {name: _at(row, path) for name, path in self._paths.items()}
            fields = {name: value for name, value in found.items() if value is not None}
        else:
            fields = {**row}
            fields.pop(EVENT_TS, None)
        for name, kind, remake in self._kinded:
            if fields.get(name) is not None:
                fields[name] = msgspec.Raw(remake(msgspec.json.encode(fields[name]), kind))
        if isinstance(own := fields.get(self._id), int):
            fields[self._id] = str(own)
        return fields

    def _note_kinds(self, kinds: Mapping[Path, str]) -> None:
        """Find the fields whose values have a type of their own in this schema."""
        self._kinds = kinds
        self._is_own = self._may_be_own and self._time not in kinds
        self._kinded = [
            (name, kinds[at], remake)
            for name, remake in self._remakes.items()
            if remake and (at := (*self._inside, *self._paths[name])) in kinds
        ]


def _at(content: Any, path: Path) -> Any:  # noqa: ANN401  # as JSON has it
    """What stands at a path; None if nothing does."""
    for name in path:
        if not isinstance(content, dict):
            return None
        content = content.get(name)
    return content

"""Where in the values of a topic the members of our own event are, as a schema's `source` says."""

from collections.abc import Iterator
from typing import NamedTuple

from churnstream.codecs.opened_json import path_of
from churnstream.codecs.source_keys import KeyReader
from churnstream.codecs.source_records import Path
from churnstream.codecs.source_times import TimeReader
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import EventSource
from churnstream.schema.fields import Numeric
from churnstream.schema.schema import Schema

_ROWS = (b"c", b"r", b"u")  # operations of Debezium after which there is a row


class OwnLayout(NamedTuple):
    """Places in a value, from the outermost object.

    Attributes:
        own_id: What our own event calls the id.
        id: Of the id.
        members: Of the fields and the label, with the names that they have in our own event.
        numbers: Of those members that are numbers, so that decimals mean them.
        time: Of the event's time; None if that is the record's timestamp.
        a_second: How many units of the time are one; None where it is a text.
        marks: Of texts that must be one of some, or the value is no usual event.
    """

    own_id: str
    id: Path
    members: tuple[tuple[Path, str], ...] = ()
    numbers: tuple[Path, ...] = ()
    time: Path | None = None
    a_second: int | None = None
    marks: tuple[tuple[Path, tuple[bytes, ...]], ...] = ()


class OwnLayouts(NamedTuple):
    """How the records of a topic may be laid out.

    Attributes:
        events: In values; none where that cannot be told.
        keys: Places of the id in a key that is a record; none if the key does not matter.
        key_may_be_id: Whether a key may be the id itself.
    """

    events: tuple[OwnLayout, ...]
    keys: tuple[Path, ...]
    key_may_be_id: bool


def own_layouts(schema: Schema, times: TimeReader, keys: KeyReader | None) -> OwnLayouts:
    """How usual records are laid out, as a schema's source says.

    Args:
        schema: With a source.
        keys: None if the key does not matter.
    """
    source = schema.source
    assert source is not None  # noqa: S101  # for the type checker
    events: tuple[OwnLayout, ...] = ()
    is_usual = source.envelope != "cloudevents" and source.time_format != "local"
    if is_usual and not source.numbers_are_written:
        events = tuple(_layouts(schema, source, times))
    return OwnLayouts(events, keys.paths if keys else (), bool(keys and keys.may_be_text))


def _layouts(schema: Schema, source: EventSource, times: TimeReader) -> Iterator[OwnLayout]:
    named = [*schema.fields, *([schema.label.field] if schema.label else [])]
    for outer in ((), ("payload",)) if source.envelope == "debezium" else ((),):
        inside = _inside(source, outer)
        members = [((*inside, *schema.source_paths[name]), name) for name in named]
        marks = [(path_of(path), _words(wanted)) for path, wanted in source.only.items()]
        commit: Path = (*inside, EVENT_TS)
        if source.envelope == "debezium":
            marks.append(((*outer, "op"), _ROWS))
            commit = (*outer, "source", "ts_ms")
        yield OwnLayout(
            schema.id,
            (*inside, *schema.source_paths[schema.id]),
            tuple(members),
            tuple(path for path, name in members if isinstance(schema.fields.get(name), Numeric)),
            None if times.is_of_record else times.path or commit,
            times.a_second,
            tuple(marks),
        )


def _inside(source: EventSource, outer: Path) -> Path:
    """Where the object with the fields is."""
    if source.envelope == "debezium":
        return (*outer, "after")
    return path_of(source.envelope) if source.envelope else ()


def _words(wanted: str | tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(word.encode() for word in ([wanted] if isinstance(wanted, str) else wanted))

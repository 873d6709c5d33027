"""A sample of what is in a topic, as what its values and keys hold."""

from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec

from churnstream.codecs.connect_kinds import connect_kinds
from churnstream.codecs.registry_framing import (
    WriterSchema,
    is_named_in_headers,
    payload_of,
    schema_id_of,
)
from churnstream.codecs.registry_values import SCHEMA_IN_HEADERS, RegistryValues
from churnstream.codecs.source_meanings import meaning_of
from churnstream.codecs.source_reader import is_cloud_event
from churnstream.codecs.source_records import Arrived, Parsed, Path, Unreadable
from churnstream.errors import ConfigurationError, DataError, TopicMissingError
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import headers_of
from churnstream.kafka.scan import Scan
from churnstream.kafka.schema_registry import SchemaRegistry
from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.event_source import EventSource, Format
from churnstream.settings import Settings

_FORMATS: dict[str, Format] = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json-schema"}
_MAX_SHOWN = 5  # topics
_PAYLOAD, _SCHEMA = "payload", "schema"  # of Connect, side by side


class TopicSample(NamedTuple):
    """The newest records of a topic.

    Attributes:
        format: Of the values.
        records: As they came.
        opened: What opens their values; None where they are plain JSON.
        values: What they hold; None for a record without a value, or one that cannot be read.
        meanings: The same, with dates, times and decimals of declared types as a file has them.
        keys: What those of the same records hold: a text, an object or None.
        in_all: How many records the topic has.
    """

    format: Format
    records: list[Arrived]
    opened: RegistryValues | None
    values: list[Any]
    meanings: list[Any]
    keys: list[Any]
    in_all: int

    @property
    def has_tombstones(self) -> bool:
        """Whether some of the records have no value."""
        return any(record.value is None for record in self.records)

    @property
    def has_cloud_headers(self) -> bool:
        """Whether the records are CloudEvents in binary mode, but for a few."""
        count = sum(is_cloud_event(record.headers) for record in self.records)
        return count > len(self.records) / 2

    @property
    def why_unread(self) -> str:
        """Why values cannot be read, where their headers say it; else ""."""
        is_bare = any(is_named_in_headers(record.headers) for record in self.records)
        return f"; {SCHEMA_IN_HEADERS}" if is_bare else ""


def sample_topic(settings: Settings, admin: Admin, max_records: int) -> TopicSample:
    """Read the newest records of the input topic, as many of each partition.

    Raises:
        DataError: The topic is empty.
        ConfigurationError: Its records are framed, and no registry is named.
        BrokerError: There is no such topic; or it, or the registry, cannot be read.
    """
    records, in_all = _newest(settings, admin, max_records)
    framed = next((r.value for r in records if schema_id_of(r.value) is not None), None)
    written: Format = "json"
    opened = None
    if framed:
        written, opened = _opened_by(settings, framed)
    parsed = [_parsed(record.value, opened) for record in records]
    return TopicSample(
        written,
        records,
        opened,
        [found.content for found in parsed],
        [meaning_of(found.content, found.kinds) for found in parsed],
        [_key(record.key, opened) for record in records],
        in_all,
    )


def _newest(settings: Settings, admin: Admin, max_records: int) -> tuple[list[Arrived], int]:
    """The newest records, and how many there are."""
    topic = settings.topics.input
    try:
        begins, ends = admin.earliest_offsets(topic), admin.latest_offsets(topic)
    except TopicMissingError as error:
        there = admin.topics()
        shown = get_close_matches(topic, there, _MAX_SHOWN) or there[:_MAX_SHOWN]
        advice = f"name one that is there, as {', '.join(shown)}" if shown else "it has none at all"
        said = f"no topic {topic} at {settings.kafka.brokers}; {advice}"
        raise TopicMissingError(said) from error
    each = max(1, max_records // max(1, len(ends)))
    starts = {p: max(begins[p], end - each) for p, end in ends.items()}
    records = [
        Arrived(record.value(), record.key(), record.timestamp()[1], headers_of(record) or ())
        for batch in Scan(settings.kafka, topic, starts, ends)
        for record in batch
    ]
    if not records:
        raise DataError(f"{topic} is empty; there is nothing to infer from")
    return records, sum(end - begins[p] for p, end in ends.items())


def _opened_by(settings: Settings, framed: bytes) -> tuple[Format, RegistryValues]:
    """The format of records, by the schema of one of them, and what opens them."""
    if isinstance(_json(payload_of(framed)), dict):  # says all by itself
        return "json-schema", RegistryValues(EventSource(format="json-schema"), lambda _: None)
    if settings.schema_registry.url is None:
        raise ConfigurationError(
            f"{settings.topics.input} holds records of a schema registry; name it: "
            "--schema-registry"
        )
    registry = SchemaRegistry(settings.schema_registry)
    registry.wait(settings.kafka.startup_timeout)

    def lookup(schema_id: int) -> WriterSchema | None:
        found = registry.fetch(schema_id)
        return found and WriterSchema(*found)

    schema_id = schema_id_of(framed)
    found = registry.fetch(schema_id) if schema_id is not None else None
    written = _FORMATS.get(found.kind if found else "")
    if written is None:
        raise DataError(f"the registry has no schema {schema_id}, which a record is of")
    return written, RegistryValues(EventSource(format=written), lookup)


def _parsed(part: bytes | None, opened: RegistryValues | None) -> Parsed:
    """What a value or key holds, and the types in it that are known; None if it cannot be read."""
    if part is None or schema_id_of(part) is None or opened is None:
        content = _json(part)
        return Parsed(content, _kinds(content))
    if opened.is_json:
        return Parsed(_json(payload_of(part)), {})
    with suppress(Unreadable):
        return opened.parsed(part)
    return Parsed(None, {})


def _kinds(content: Any) -> Mapping[Path, str]:  # noqa: ANN401  # as JSON has it
    """The types in a schema that stands beside the value, as Connect's converter writes it."""
    if not isinstance(content, dict) or not isinstance(content.get(_SCHEMA), dict):
        return {}
    found = connect_kinds(msgspec.json.encode(content[_SCHEMA]))
    return {(_PAYLOAD, *path): kind for path, kind in found.items()}


def _json(part: bytes | None) -> Any:  # noqa: ANN401
    with suppress(*UNDECODABLE):
        return msgspec.json.decode(part or b"")


def _key(key: bytes | None, opened: RegistryValues | None) -> Any:  # noqa: ANN401
    """A key as the object in it, or as its text."""
    found = _parsed(key, opened).content
    if isinstance(found, dict) or key is None:
        return found
    is_framed = schema_id_of(key) is not None and found is not None
    return str(found) if is_framed else key.decode(errors="replace")

"""A sample of what is in a topic, as what its values and keys hold."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from churnstream.codecs.registry_framing import WriterSchema, payload_of, schema_id_of
from churnstream.codecs.registry_values import RegistryValues
from churnstream.codecs.source_records import Unreadable
from churnstream.errors import ConfigurationError, DataError
from churnstream.kafka.admin import Admin
from churnstream.kafka.scan import Scan
from churnstream.kafka.schema_registry import SchemaRegistry
from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.event_source import EventSource, Format
from churnstream.settings import Settings

_FORMATS: dict[str, Format] = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json-schema"}


class TopicSample(NamedTuple):
    """The newest records of a topic.

    Attributes:
        format: Of the values.
        values: What they hold; None for a record without a value, or one that cannot be read.
        keys: What those of the same records hold: a text, an object or None.
        in_all: How many records the topic has.
        has_tombstones: Whether some of them have no value.
    """

    format: Format
    values: list[Any]
    keys: list[Any]
    in_all: int
    has_tombstones: bool


def sample_topic(settings: Settings, admin: Admin, max_records: int) -> TopicSample:
    """Read the newest records of the input topic, as many of each partition.

    Raises:
        DataError: The topic is empty.
        ConfigurationError: Its records are framed, and no registry is named.
        BrokerError: The topic or the registry cannot be read.
    """
    topic = settings.topics.input
    begins, ends = admin.earliest_offsets(topic), admin.latest_offsets(topic)
    each = max(1, max_records // max(1, len(ends)))
    starts = {p: max(begins[p], end - each) for p, end in ends.items()}
    scan = Scan(settings.kafka, topic, starts, ends)
    parts = [(record.value(), record.key()) for batch in scan for record in batch]
    if not parts:
        raise DataError(f"{topic} is empty; there is nothing to infer from")
    ids = filter(None, (schema_id_of(value) for value, _ in parts))
    written, read = _reader(settings, next(ids, None))
    return TopicSample(
        written,
        [read(value) for value, _ in parts],
        [_key(key, read) for _, key in parts],
        sum(end - begins[p] for p, end in ends.items()),
        any(value is None for value, _ in parts),
    )


def _reader(settings: Settings, schema_id: int | None) -> tuple[Format, Callable[[Any], Any]]:
    """The format of records, by the schema of one of them, and what reads them."""
    if schema_id is None:
        return "json", _json
    if settings.schema_registry.url is None:
        raise ConfigurationError(
            f"{settings.topics.input} holds records of a schema registry; name it: "
            "--schema-registry"
        )
    registry = SchemaRegistry(settings.schema_registry)
    registry.wait(settings.kafka.startup_timeout)
    found = registry.fetch(schema_id)
    written = _FORMATS.get(found.kind if found else "")
    if written is None:
        raise DataError(f"the registry has no schema {schema_id}, which a record is of")
    values = RegistryValues(EventSource(format=written), _lookup(registry))

    def read(part: bytes | None) -> Any:  # noqa: ANN401
        if part is None or schema_id_of(part) is None:
            return _json(part)
        with suppress(Unreadable):
            return _json(payload_of(part)) if written == "json-schema" else values.content(part)

    return written, read


def _lookup(registry: SchemaRegistry) -> Callable[[int], WriterSchema | None]:
    def lookup(schema_id: int) -> WriterSchema | None:
        found = registry.fetch(schema_id)
        return found and WriterSchema(*found)

    return lookup


def _json(part: bytes | None) -> Any:  # noqa: ANN401
    with suppress(*UNDECODABLE):
        return msgspec.json.decode(part or b"")


def _key(key: bytes | None, read: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    """A key as the object in it, or as its text."""
    found = read(key)
    if isinstance(found, dict) or key is None:
        return found
    is_framed = schema_id_of(key) is not None and found is not None
    return str(found) if is_framed else key.decode(errors="replace")

"""Records of the input topic, decoded as the schema's source says."""

from collections.abc import Callable, Sequence

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.registry_events import decode_framed
from churnstream.codecs.registry_framing import WriterSchema
from churnstream.codecs.registry_values import RegistryValues
from churnstream.codecs.source_records import Arrived
from churnstream.errors import ConfigurationError
from churnstream.kafka.client import Message, contents_of, headers_of
from churnstream.kafka.schema_registry import SchemaRegistry
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.event_source import EventSource
from churnstream.schema.record_types import Event
from churnstream.settings import Settings


def registry_values(
    settings: Settings, source: EventSource | None, give_up: Callable[[], bool] = lambda: False
) -> RegistryValues | None:
    """What opens the values of a topic; None where they are plain JSON.

    Raises:
        ConfigurationError: The registry is not named, or rejects who we are.
        SchemasUnavailableError: It does not answer.
    """
    if source is None or source.format == "json":
        return None
    if source.format == "json-schema":
        return RegistryValues(source, lambda _: None)
    if settings.schema_registry.url is None:
        raise ConfigurationError(
            f"`source: format: {source.format}` takes a schema registry; name it: --schema-registry"
        )
    registry = SchemaRegistry(settings.schema_registry)
    registry.wait(settings.kafka.startup_timeout, give_up)

    def lookup(schema_id: int) -> WriterSchema | None:
        found = registry.fetch(schema_id)
        return found and WriterSchema(*found)

    return RegistryValues(source, lookup)


def decode_records(
    decode: EventDecoder, records: Sequence[Message], opened: RegistryValues | None = None
) -> list[Event | PassedOver | Rejection]:
    """Of each record its event, by which rule it is passed over, or why there is none.

    Raises:
        SchemasUnavailableError: A schema is not known yet, and the registry cannot be asked now.
    """
    values, keys = contents_of(records)
    if decode.source is None:
        return decode.batch(values, keys)
    if opened:
        return decode_framed(
            decode,
            opened,
            values,
            keys,
            lambda row: records[row].timestamp()[1],
            lambda row: headers_of(records[row]) or (),
        )
    timestamps = [record.timestamp()[1] for record in records]
    headers = [headers_of(record) or () for record in records]
    return decode.batch_of(list(map(Arrived, values, keys, timestamps, headers)))

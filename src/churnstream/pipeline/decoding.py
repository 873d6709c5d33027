"""Records decoded: those of the input topic as the schema's source says, and predictions."""

from collections.abc import Callable, Sequence

import structlog

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.prediction_codec import AsJson, as_it_is
from churnstream.codecs.registry_events import decode_framed
from churnstream.codecs.registry_framing import WriterSchema
from churnstream.codecs.registry_values import Lookup, RegistryValues
from churnstream.codecs.source_records import Arrived
from churnstream.errors import ConfigurationError
from churnstream.kafka.client import Message, contents_of, headers_of
from churnstream.kafka.schema_registry import SchemaRegistry
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.event_source import EventSource
from churnstream.schema.record_types import Event
from churnstream.settings import Settings

log = structlog.get_logger(__name__)

NO_REGISTRY = "{} in {} take a schema registry; name it: --schema-registry"


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
        raise ConfigurationError(NO_REGISTRY.format("events", source.format))
    registry = SchemaRegistry(settings.schema_registry)
    registry.wait(settings.kafka.startup_timeout, give_up)
    return RegistryValues(source, _lookup(registry))


def predictions_as_json(settings: Settings) -> AsJson:
    """What makes predictions readable whose schema stands in a registry; it is asked when needed.

    Raises:
        ConfigurationError: Predictions are written so, and no registry is named.
    """
    if settings.schema_registry.url is None:
        if settings.topics.output_format != "json":
            raise ConfigurationError(
                NO_REGISTRY.format("predictions", settings.topics.output_format)
            )
        return _as_it_is_but_said()
    return RegistryValues(None, _lookup(SchemaRegistry(settings.schema_registry))).as_json


def _as_it_is_but_said() -> AsJson:
    """For predictions that cannot be read without a registry: the first of them is said."""
    is_said = False

    def as_it_came(value: bytes | None) -> bytes | None:
        nonlocal is_said
        if not is_said:
            is_said = True
            log.warning(
                "schema_registry_not_named",
                because="a prediction may be in the format of one, and counts as no prediction",
                mend="--schema-registry",
            )
        return value

    return as_it_came


def shown_values(settings: Settings, opened: RegistryValues | None) -> AsJson:
    """What makes values and keys of any topic of the flow readable; it raises nothing.

    Args:
        opened: Of the input topic.
    """
    if settings.schema_registry.url:
        return RegistryValues(None, _lookup(SchemaRegistry(settings.schema_registry))).shown
    return opened.shown if opened else as_it_is


def _lookup(registry: SchemaRegistry) -> Lookup:
    def lookup(schema_id: int) -> WriterSchema | None:
        found = registry.fetch(schema_id)
        return found and WriterSchema(*found)

    return lookup


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

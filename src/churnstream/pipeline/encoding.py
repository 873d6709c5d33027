"""Our own records in the formats of a schema registry; schemas are registered before the first."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from churnstream.codecs.prediction_codec import encode_prediction
from churnstream.codecs.record_columns import RecordName
from churnstream.codecs.registered_encoders import Encode, registered_encoder
from churnstream.codecs.registered_schemas import registered_schema
from churnstream.codecs.registry_framing import framed
from churnstream.errors import ConfigurationError
from churnstream.kafka.schema_registry import SchemaRegistry
from churnstream.pipeline.decoding import NO_REGISTRY
from churnstream.schema.event_source import EventSource, Format
from churnstream.schema.schema import Schema
from churnstream.settings import Settings

if TYPE_CHECKING:
    from churnstream.pipeline.event_forms import EventForm


def prediction_encoder(
    settings: Settings, schema: Schema, give_up: Callable[[], bool] = lambda: False
) -> Encode:
    """Writes predictions as the settings say.

    Raises:
        ConfigurationError: The registry is not named, or rejects the schema, or us.
        SchemasUnavailableError: It does not answer.
    """
    names = settings.topics
    if names.output_format == "json":
        return encode_prediction
    if settings.schema_registry.url is None:
        raise ConfigurationError(NO_REGISTRY.format("predictions", names.output_format))
    topics = [names.output, *([names.newest] if names.newest else [])]
    ids = schema_ids(settings, "prediction", schema, names.output_format, topics, give_up)
    return registered_encoder("prediction", schema, names.output_format, ids[0])


def event_form(
    settings: Settings, schema: Schema, give_up: Callable[[], bool] = lambda: False
) -> "EventForm":
    """Writes events as the schema's source says that they are read.

    Raises:
        ConfigurationError: It says that they come from somewhere else; or the registry is not
            named, or rejects the schema, or us.
        SchemasUnavailableError: The registry does not answer.
    """
    from churnstream.pipeline.event_forms import JsonEvents, TypedEvents

    source, topic = schema.source or EventSource(), settings.topics.input
    if source.elsewhere:
        raise ConfigurationError(
            f"`source: {source.elsewhere}` in the schema {schema.name} says that events in {topic} "
            "are not as `produce` writes them: they would not be read; take a schema file without "
            "that line, and a topic of its own: --schema, --input-topic"
        )
    form = source.format
    if form == "json":
        return JsonEvents(schema)
    if settings.schema_registry.url is None:
        raise ConfigurationError(NO_REGISTRY.format("events", form))
    (schema_id,) = schema_ids(settings, "event", schema, form, [topic], give_up)
    if form == "json-schema":
        return JsonEvents(schema, framed(schema_id, b""))
    return TypedEvents(schema, registered_encoder("event", schema, form, schema_id), form)


def schema_ids(
    settings: Settings,
    record: RecordName,
    schema: Schema,
    form: Format,
    topics: Sequence[str],
    give_up: Callable[[], bool],
) -> list[int]:
    """The ids of a record's schema under the subjects of topics: registered, or looked up.

    Raises:
        ConfigurationError: The registry rejects the schema, or us.
        SchemasUnavailableError: It does not answer.
    """
    found = registered_schema(record, schema, form)
    registry = SchemaRegistry(settings.schema_registry)
    registry.wait(settings.kafka.startup_timeout, give_up)
    return [registry.id_of(f"{topic}-value", found.kind, found.text) for topic in topics]

"""Our own records to bytes in the formats of a schema registry."""

import io
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import msgspec

from churnstream.codecs.avro_values import avro_schema_of
from churnstream.codecs.protobuf_values import message_class
from churnstream.codecs.record_columns import RecordColumn, RecordName, columns_of
from churnstream.codecs.registered_schemas import registered_schema
from churnstream.codecs.registry_framing import FIRST_MESSAGE, framed
from churnstream.schema.event_source import Format
from churnstream.schema.schema import Schema

Encode = Callable[[Any], bytes]
"""Takes an event or a prediction, a Struct."""

_as_json = msgspec.json.Encoder().encode


def registered_encoder(record: RecordName, schema: Schema, form: Format, schema_id: int) -> Encode:
    """Writes events or predictions with the id of their schema before them.

    Args:
        record: Which of the two.
        schema: Of the customers.
        form: Any but `json`.
        schema_id: Of `registered_schema`, as the registry has it.
    """
    if form == "json-schema":
        return lambda made: framed(schema_id, _as_json(made))
    columns = columns_of(record, schema)
    text = registered_schema(record, schema, form)
    if form == "avro":
        return _avro(columns, avro_schema_of(text), framed(schema_id, b""))
    return _protobuf(columns, message_class(text), framed(schema_id, FIRST_MESSAGE))


def _avro(columns: list[RecordColumn], schema: Any, head: bytes) -> Encode:  # noqa: ANN401
    from fastavro import schemaless_writer

    def encode(made: Any) -> bytes:  # noqa: ANN401
        stream = io.BytesIO()
        stream.write(head)
        schemaless_writer(stream, schema, _values(columns, made))
        return stream.getvalue()

    return encode


def _protobuf(columns: list[RecordColumn], message: Callable[..., Any], head: bytes) -> Encode:
    def encode(made: Any) -> bytes:  # noqa: ANN401
        values = _values(columns, made)
        for name, value in values.items():
            if isinstance(value, date) and not isinstance(value, datetime):
                values[name] = value.isoformat()
        found: bytes = message(**values).SerializeToString()
        return head + found

    return encode


def _values(columns: list[RecordColumn], made: Any) -> dict[str, Any]:  # noqa: ANN401
    """What a record holds, by the names that the format has."""
    values = {column.name: getattr(made, column.attribute) for column in columns}
    for name, value in values.items():
        if value is msgspec.UNSET:
            values[name] = None
    if "reasons" in values:
        values["reasons"] = [msgspec.structs.asdict(one) for one in values["reasons"] or ()]
    return values

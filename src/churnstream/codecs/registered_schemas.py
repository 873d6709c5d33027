"""The schemas of our own records as a registry keeps them: Avro, Protobuf and JSON Schema.

A field that is added to a schema file belongs behind the others: Protobuf numbers them in their
order, and a registry takes a new version only where those before it can still be read.
"""

import re
from typing import Any

import msgspec

from churnstream.codecs.json_schema import json_schemas
from churnstream.codecs.record_columns import (
    REASON,
    ColumnKind,
    RecordColumn,
    RecordName,
    columns_of,
)
from churnstream.codecs.registry_framing import WriterSchema
from churnstream.schema.event_source import Format
from churnstream.schema.schema import Schema

_TITLES = {"event": "CustomerEvent", "prediction": "Prediction"}
_AVRO: dict[ColumnKind, Any] = {
    "text": "string",
    "whole": "long",
    "number": "double",
    "flag": "boolean",
    "day": {"type": "int", "logicalType": "date"},
    "timestamp": {
        "type": "long",
        "logicalType": "timestamp-micros",
        # Kafka Connect knows milliseconds only; by this name Debezium's sink writes a timestamp.
        "connect.name": "io.debezium.time.MicroTimestamp",
    },
}
_PROTOBUF: dict[ColumnKind, str] = {
    "text": "string",
    "whole": "int64",
    "number": "double",
    "flag": "bool",
    "day": "string",
    "timestamp": "google.protobuf.Timestamp",
}
_AVRO["reasons"] = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "Reason",
        "fields": [{"name": name, "type": _AVRO[kind]} for name, kind in REASON],
    },
}


def registered_schema(record: RecordName, schema: Schema, form: Format) -> WriterSchema:
    """The schema of a record, as it is written.

    Args:
        record: Which one.
        schema: Of the customers.
        form: Any but `json`.

    Raises:
        ConfigurationError: Two fields would have one name.
    """
    if form == "json-schema":
        found = json_schemas(schema)[_TITLES[record]]
        return WriterSchema("JSON", msgspec.json.encode(found).decode(), {})
    columns, title = columns_of(record, schema), _TITLES[record]
    package = "churnstream." + re.sub(r"[^a-z0-9]", "_", f"_{schema.name}").lstrip("_")
    package = re.sub(r"\.(\d)", r"._\1", package)
    if form == "avro":
        fields = [_avro_field(column) for column in columns]
        whole = {"type": "record", "name": title, "namespace": package, "fields": fields}
        return WriterSchema("AVRO", msgspec.json.encode(whole).decode(), {})
    return WriterSchema("PROTOBUF", _proto(package, title, columns), {})


def _avro_field(column: RecordColumn) -> dict[str, Any]:
    kind = _AVRO[column.kind]
    if column.kind == "reasons":
        return {"name": column.name, "type": kind, "default": []}
    if not column.may_be_missing:
        return {"name": column.name, "type": kind}
    return {"name": column.name, "type": ["null", kind], "default": None}


def _proto(package: str, title: str, columns: list[RecordColumn]) -> str:
    """A file with one message, and where it has reasons that of a reason behind it."""
    lines = ['syntax = "proto3";', f"package {package};"]
    lines += ['import "google/protobuf/timestamp.proto";', f"message {title} {{"]
    lines += [f"  {_proto_field(column)} = {n};" for n, column in enumerate(columns, 1)]
    lines.append("}")
    if any(column.kind == "reasons" for column in columns):
        lines.append("message Reason {")
        lines += [f"  {_PROTOBUF[kind]} {name} = {n};" for n, (name, kind) in enumerate(REASON, 1)]
        lines.append("}")
    return "\n".join(lines) + "\n"


def _proto_field(column: RecordColumn) -> str:
    if column.kind == "reasons":
        return f"repeated Reason {column.name}"
    optional = "optional " if column.may_be_missing else ""
    return f"{optional}{_PROTOBUF[column.kind]} {column.name}"

"""JSON Schema of the records, for those who write or read them without churnstream.

It describes events as churnstream itself writes them. What is spelled otherwise and means the same,
as `"1"` for a whole number, is read as well.
"""

from inspect import cleandoc
from typing import Any

import msgspec

from churnstream.records.dead_letter import DeadLetter
from churnstream.schema.record_types import event_type, prediction_type
from churnstream.schema.schema import Schema

ABOUT = "One customer, at one moment."

JsonSchema = dict[str, Any]


def json_schemas(schema: Schema, about: str = ABOUT) -> dict[str, JsonSchema]:
    """A JSON Schema of each kind of record, by its name, complete in itself.

    Args:
        schema: Of the events.
        about: What an event is, in words.
    """
    records = {kind.__name__: msgspec.json.schema(kind) for kind in _kinds(schema)}
    for record in records.values():
        _describe(record["$defs"])
    _complete(records["CustomerEvent"]["$defs"], schema, about)
    return records


def schema_components(schema: Schema, ref_template: str, about: str = ABOUT) -> JsonSchema:
    """The same as parts of one document, what the records refer to included.

    Args:
        ref_template: How a part is referred to, with `{name}` in it.
    """
    _, parts = msgspec.json.schema_components(_kinds(schema), ref_template=ref_template)
    _describe(parts)
    return _complete(parts, schema, about)


def _describe(parts: JsonSchema) -> None:
    """Have descriptions without the indentation of the code, which Python 3.13 drops by itself."""
    for part in parts.values():
        if "description" in part:
            part["description"] = cleandoc(part["description"])


def _kinds(schema: Schema) -> tuple[type[msgspec.Struct], ...]:
    return event_type(schema), prediction_type(schema), DeadLetter


def _complete(parts: JsonSchema, schema: Schema, about: str) -> JsonSchema:
    """Add to the event's part what its type does not say."""
    event = parts["CustomerEvent"]
    parts["CustomerEvent"] = {"title": event["title"], "description": about} | event
    if (label := schema.label) and label.stayed:
        values = {"enum": sorted([label.churned, label.stayed])}
        event["properties"][label.field] = {"anyOf": [values, {"type": "null"}], "default": None}
    return parts

"""What contradicts itself in a schema, beyond what the type of each key says."""

from collections.abc import Iterator

from churnstream.records.prediction import Prediction
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import faults_of_source
from churnstream.schema.fields import AnyField, Boolean, Category, MissingRule, Numeric
from churnstream.schema.schema import Schema, Segment

# No column may take these names; `error` stands beside a prediction in a file.
_RESERVED = {EVENT_TS, "error", *Prediction.__struct_fields__}

Fault = tuple[tuple[str, ...], str]
"""Where, as names in the file from outside inwards, and what is wrong."""


def faults(schema: Schema) -> Iterator[Fault]:
    """Every contradiction in a schema."""
    yield from _faults_of_names(schema)
    if isinstance(schema.value, str) and not isinstance(schema.fields.get(schema.value), Numeric):
        yield ("value",), f"{schema.value} is no numeric field; name one, a number, or null"
    if isinstance(schema.value, float) and schema.value < 0:
        yield ("value",), "is below 0; a customer is worth 0 or more"
    for segment in schema.breakdowns:
        if problem := _fault_of_segment(schema, segment):
            yield ("segments",), problem
    for name, field in schema.fields.items():
        yield from _faults_of_field(schema, name, field)
    if schema.source:
        known = {*schema.attributes}
        yield from ((("source", key), said) for key, said in faults_of_source(schema.source, known))


def fault_of_name(name: str) -> str | None:
    """Why a column cannot be one of an event under its name."""
    if not name or name in _RESERVED:
        return "events and predictions use this name; rename the column"
    if any(c in '"\\' or c < " " for c in name):
        return (
            'a name with ", \\ or a control character does not go into an event; rename the column'
        )
    return None


def _faults_of_names(schema: Schema) -> Iterator[Fault]:
    known = [schema.id, *schema.fields]
    if schema.id in schema.fields:
        yield ("id",), f"{schema.id} stands among the fields, too; remove it there"
    for name in [*known, *([schema.label.field] if schema.label else [])]:
        if problem := fault_of_name(name):
            yield ("fields", name), problem
    for name in schema.left_out:
        if name in known:
            yield ("left_out", name), "is a field, too; keep it in one place"
    if label := schema.label:
        if label.field in known:
            yield ("label",), f"{label.field} is a field, too, and tells what is to be predicted"
        if label.churned == label.stayed:
            yield ("label",), "churned and stayed are the same value"


def _fault_of_segment(schema: Schema, segment: Segment) -> str | None:
    name, field = segment.field, schema.fields.get(segment.field)
    if field is None:
        return f"{name} is none of the fields"
    if isinstance(field, Numeric) != bool(segment.edges):
        if segment.edges:
            return f"{name} is not numeric and has no bands; remove its edges"
        return f"{name} is numeric; say where its bands end, as {{field: {name}, edges: [12, 24]}}"
    if list(segment.edges) != sorted(set(segment.edges)):
        return f"the edges of {name} must rise"
    return None


def _faults_of_field(schema: Schema, name: str, field: AnyField) -> Iterator[Fault]:
    where = ("fields", name)
    if isinstance(field, Numeric) and field.min > field.max:
        yield where, f"min {field.min} is more than max {field.max}"
    if isinstance(field, Boolean) and len(set(field.values)) < len(field.values):
        yield where, "values must be two: what means no, and what means yes"
    if isinstance(field, Category) and field.values and len(set(field.values)) < len(field.values):
        yield where, "a value stands twice"
    if isinstance(field.missing, MissingRule):
        if not isinstance(field, Numeric):
            yield where, "counts_as is for numbers; write missing: allow"
        for other in field.missing.only_where:
            if other not in schema.fields:
                yield where, f"only_where: {other} is none of the fields"

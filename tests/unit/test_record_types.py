"""The types of records that a schema makes."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.records.rejection import Rejection
from churnstream.schema import schema_file
from churnstream.schema.fields import AnyField, Category, Date, written
from churnstream.schema.fields import Boolean as BooleanField
from churnstream.schema.record_types import event_type, prediction_type
from churnstream.schema.schema import Schema
from churnstream.schema.values import Problem, read
from made_schemas import TEXTS, fields, schemas


def json_values(field: AnyField) -> st.SearchStrategy[Any]:
    """What an event may hold in a field, likely things first."""
    likely: list[Any] = [None, True, False, 0, 1]
    if isinstance(field, Category):
        likely += field.values or ()
    if isinstance(field, BooleanField):
        likely += [*field.values, *written(field)]
    if isinstance(field, Date):
        return st.dates().map(str) | st.sampled_from(likely)
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    return st.sampled_from(likely) | TEXTS | numbers


@given(st.data(), fields())
def test_decoder_and_reader_agree(data: st.DataObject, field: AnyField) -> None:
    """What the decoder of events makes of a value is what the reader of values makes of it."""
    raw = data.draw(json_values(field))
    decode = EventDecoder(Schema(name="x", id="id", fields={"a": field}))
    event = json.dumps({"id": "1", "event_ts": "2026-01-31T12:00:00Z", "a": raw})
    decoded = decode(event.encode(), b"1")
    value = read(field, raw)
    if isinstance(decoded, Rejection):
        assert isinstance(value, Problem)
        assert (decoded.reason, decoded.field) == (value.reason, "a")
    else:
        assert (decoded.a, type(decoded.a)) == (value, type(value))


@given(st.data(), fields())
def test_what_is_read_is_accepted(data: st.DataObject, field: AnyField) -> None:
    """What the reader of values made of a value, the typed decoder accepts from our own events."""
    value = read(field, data.draw(json_values(field)))
    if isinstance(value, Problem):
        return
    kind = event_type(Schema(name="x", id="id", fields={"a": field}))
    event = {"id": "1", "event_ts": "2026-01-31T12:00:00Z", "a": value}
    decoded = msgspec.json.decode(msgspec.json.encode(event), type=kind)
    assert decoded.a == value  # type: ignore[attr-defined]


@given(schemas())
def test_names(schema: Schema) -> None:
    """Whatever fields are called, events and predictions go to JSON under these names and back."""
    kind, prediction = event_type(schema), prediction_type(schema)
    names = {field.encode_name for field in msgspec.structs.fields(kind)}
    labels = [schema.label.field] if schema.label else []
    assert names == {schema.id, *schema.fields, "event_ts", *labels}
    assert schema.id in {field.encode_name for field in msgspec.structs.fields(prediction)}


def test_the_label_is_never_a_reason_to_reject() -> None:
    """An event with any label, or without one, is decoded."""
    schema = Schema(name="x", id="id", fields={"a": Category()})
    labelled = msgspec.structs.replace(schema, label=schema_file.read(schema_file.TELCO_FILE).label)
    kind = event_type(labelled)
    event = {"id": "1", "event_ts": "2026-01-31T12:00:00Z", "a": "b"}
    msgspec.json.decode(json.dumps(event), type=kind)
    labels: list[object] = [[{}], None, "maybe", 7]
    for label in labels:
        msgspec.json.decode(json.dumps(event | {"Churn": label}), type=kind)

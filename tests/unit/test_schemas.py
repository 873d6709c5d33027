import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.json import encode

from builders import TELCO, CustomerEvent, Prediction, customer, decode_event, message
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.json_schema import json_schemas
from churnstream.pipeline.dead_letter_headers import describe_rejection
from churnstream.records.dead_letter import DeadLetter
from churnstream.records.rejection import REASONS, Rejection

decode = EventDecoder(TELCO)
ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SAMPLES = {
    "CustomerEvent": CustomerEvent(
        **customer(event_ts=NOW, TotalCharges=None, tenure=0, Churn="No")
    ),
    "Prediction": Prediction("C1", 0.25, "No", NOW, NOW, "v1", 2, 17),
    "DeadLetter": describe_rejection(
        message(b"x"),
        Rejection("not_json", "value", "is not JSON"),
        group="group",
        model_version="v1",
        now=NOW,
    ),
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "object": dict,
    "array": list,
    "boolean": bool,
}


def schema_of(name: str) -> dict[str, Any]:
    """The file in schemas/, its reference to the record resolved."""
    schema: dict[str, Any] = json.loads((ROOT / "schemas" / f"{name}.json").read_text())
    record: dict[str, Any] = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return record


def problems(value: Any, schema: dict[str, Any]) -> list[str]:
    """Where a value and a schema differ, as far as our schemas go: no references, no patterns."""
    if "anyOf" in schema:
        found = [problems(value, choice) for choice in schema["anyOf"]]
        return [] if [] in found else found[0]
    expected = schema.get("type", [])
    kinds = [expected] if isinstance(expected, str) else expected
    is_bool = isinstance(value, bool)
    if kinds and not any(
        isinstance(value, TYPES[kind]) and is_bool == (kind == "boolean") for kind in kinds
    ):
        return [f"{value!r} is no {expected}"]
    # True is 1 in Python, but not in JSON.
    if "enum" in schema and not any(repr(value) == repr(choice) for choice in schema["enum"]):
        return [f"{value!r} is none of {schema['enum']}"]
    if value is not None and value < schema.get("minimum", value):
        return [f"{value!r} is too small"]
    return []


def record_problems(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, list[str]]:
    """The same for every field of a record, those without problems left out."""
    fields = schema["properties"]
    missing = {name: ["is missing"] for name in schema["required"] if name not in value}
    found = {name: problems(value[name], fields[name]) for name in value if name in fields}
    return missing | {name: which for name, which in found.items() if which}


def test_no_schema_is_left_over() -> None:
    """Each file in schemas/ is that of a record there is."""
    assert {path.stem for path in (ROOT / "schemas").glob("*.json")} == set(json_schemas(TELCO))


@pytest.mark.parametrize("record", [CustomerEvent, Prediction, DeadLetter])
def test_a_schema_has_the_records_fields_in_their_order(record: type[msgspec.Struct]) -> None:
    """Nothing is missing, and nothing that the record does not have."""
    schema = schema_of(record.__name__)

    assert tuple(schema["properties"]) == record.__struct_fields__
    assert set(schema["required"]) <= set(record.__struct_fields__)


@pytest.mark.parametrize("name", SAMPLES)
def test_an_encoded_record_conforms(name: str) -> None:
    """What churnstream writes is what the schema says."""
    assert record_problems(json.loads(encode(SAMPLES[name])), schema_of(name)) == {}


def test_an_event_from_elsewhere_conforms() -> None:
    """An event as others may write it, and as it is written again, follows the schema."""
    wild = customer(TotalCharges=29, event_ts="2026-01-02T04:04:05+01:00", extra=[1])
    event = decode_event(json.dumps(wild).encode(), b"7590-VHVEG")

    assert record_problems(wild, schema_of("CustomerEvent")) == {}
    assert record_problems(json.loads(encode(event)), schema_of("CustomerEvent")) == {}


def test_unknown_fields_conform() -> None:
    """No schema forbids fields that it does not know."""
    assert all("additionalProperties" not in schema_of(name) for name in SAMPLES)


@pytest.mark.parametrize("field", CustomerEvent.__struct_fields__)
@pytest.mark.parametrize("value", [None, True, 0, 1, 1.5, -1, "text", "No", [], {}], ids=repr)
def test_what_the_schema_allows_is_read_as_it_stands(field: str, value: Any) -> None:
    """Schema and decoder agree on types and ranges, field by field.

    What it does not allow is rejected or, if it means the same in another spelling, read as that.
    """
    changed = customer(**{field: value})

    found = decode(json.dumps(changed).encode(), str(changed["customerID"]).encode())

    if field in record_problems(changed, schema_of("CustomerEvent")):
        written = getattr(found, field, None)
        assert isinstance(found, Rejection) or field == "Churn" or repr(written) != repr(value)
    elif isinstance(found, Rejection):
        assert found.reason == "invalid_value", "beyond what a schema can say"
    else:
        assert getattr(found, field) == value


@pytest.mark.parametrize("field", CustomerEvent.__struct_fields__)
def test_the_schema_requires_what_the_decoder_requires(field: str) -> None:
    """Every field but the label must be there."""
    assert (field in schema_of("CustomerEvent")["required"]) == (field != "Churn")


def test_reasons_of_dead_letters_are_a_closed_list() -> None:
    """Readers of dead letters can rely on the reasons."""
    assert set(schema_of("DeadLetter")["properties"]["reason"]["enum"]) == set(REASONS)

"""The prediction as a record, for any schema."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from builders import Prediction, decode_prediction, read_prediction
from churnstream.codecs.prediction_codec import prediction_reader
from churnstream.records.prediction import Prediction as PredictionFields
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.fields import Number
from churnstream.schema.record_types import prediction_type
from churnstream.schema.schema import Schema
from churnstream.schema.schema_checks import fault_of_name

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def test_a_prediction_is_read_back_as_it_was_written() -> None:
    """Every field survives the way through JSON, the probability to its last bit."""
    made = Prediction("C1", 0.1 + 0.2, "Yes", MOMENT, MOMENT, "v1", 2, 2**40)

    assert decode_prediction(encode(made)) == read_prediction(encode(made)) == made
    assert b'"event_ts":"2026-01-02T03:04:05.000678Z"' in encode(made)


def test_reasons_are_left_out_where_there_are_none() -> None:
    """A prediction has them only where they were asked for."""
    made = Prediction("C1", 0.5, "Yes", MOMENT, MOMENT, "v1", 2, 3)
    reasons = [ReasonGiven("tenure", "1", 0.5, "A tenure of 1 month raises the risk")]
    explained = Prediction("C1", 0.5, "Yes", MOMENT, MOMENT, "v1", 2, 3, reasons)

    assert b"reasons" not in encode(made)
    assert read_prediction(encode(explained)) == explained


def test_the_order_of_a_predictions_fields_is_fixed() -> None:
    """Readers of other languages and files of predictions know this order."""
    assert Prediction.__struct_fields__ == (
        "customerID",
        "churn_probability",
        "prediction",
        "event_ts",
        "processed_ts",
        "model_version",
        "source_partition",
        "source_offset",
        "reasons",
    )


@pytest.mark.parametrize("name", ["event_ts", *PredictionFields.__struct_fields__])
def test_no_column_has_the_name_of_a_predictions_field(name: str) -> None:
    """It would stand in the prediction twice, once as the customer's ID."""
    assert "predictions use this name" in (fault_of_name(name) or "")


@pytest.mark.parametrize("name", ["CustomerId", "Customer ID", "class", "a.b", "ä", "it's", "_id"])
def test_the_id_goes_under_the_schemas_name(name: str) -> None:
    """Whatever the field is called, also what is no name in Python."""
    schema = Schema(name="x", id=name, fields={"a": Number()})
    made: Any = prediction_type(schema)("C1", 0.5, "No", MOMENT, MOMENT, "v1", 0, 1)

    assert f'{{"{name}":"C1",'.encode() in encode(made)
    found = prediction_reader(schema)(encode(made))
    assert found == made
    assert schema.id_of(found) == "C1"


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{}", b'{"churn_probability": 2}', b"\xff", b"[" * 100_000, b'"\\ud800"'],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_prediction_is_none(value: bytes | None) -> None:
    """Other bytes in the topic of predictions are not read as one, and never raise."""
    assert read_prediction(value) is None


@given(st.binary())
def test_any_bytes_are_a_prediction_or_none(value: bytes) -> None:
    """Whatever anybody wrote there."""
    assert read_prediction(value) is None

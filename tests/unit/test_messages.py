from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from builders import DATASET_COLUMNS, CustomerEvent, Prediction, decode_prediction
from churnstream.escaping import quote
from churnstream.records.rejection import REASONS, Rejection

# 40 characters, each up to 12 when escaped, and the mark of what was cut.
LONGEST_QUOTE = 500


def test_columns_of_the_data_set_are_the_event_without_time_and_label() -> None:
    """The columns follow the record, in its order."""
    assert [*DATASET_COLUMNS, "event_ts", "Churn"] == list(CustomerEvent.__struct_fields__)


def test_a_rejection_reads_field_first() -> None:
    """In words a rejection is the field at fault and what is wrong with it."""
    assert str(Rejection("missing_field", "Contract", "is missing")) == "Contract: is missing"


def test_reasons_are_sorted_and_told_apart() -> None:
    """The reasons are a closed list, for filters and counters."""
    assert sorted(set(REASONS)) == list(REASONS)


# ---- quoting ----


@given(st.text())
def test_a_quoted_text_is_one_short_line_of_ascii(text: str) -> None:
    """Any text can be shown in a header or a log."""
    shown = quote(text)

    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= LONGEST_QUOTE


def test_a_short_text_is_quoted_as_it_is() -> None:
    """What is short stays whole, and what is long says that it was cut."""
    assert quote("Weekly") == '"Weekly"'
    assert quote("x" * 40) == f'"{"x" * 40}"'
    assert quote("x" * 41) == f'"{"x" * 40}..."'


# ---- predictions ----


def test_a_prediction_is_read_back_as_it_was_written() -> None:
    """Every field survives the way through JSON, the probability to its last bit."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    made = Prediction("C1", 0.1 + 0.2, "Yes", moment, moment, "v1", 2, 2**40)

    assert decode_prediction(encode(made)) == made
    assert b'"event_ts":"2026-01-02T03:04:05.000678Z"' in encode(made)


def test_the_order_of_a_predictions_fields_is_fixed() -> None:
    """Scoring fills them by their order, whatever their types."""
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


@pytest.mark.parametrize("value", [b"", b"{}", b'{"churn_probability": 2}'])
def test_what_is_no_prediction_is_an_error(value: bytes) -> None:
    """Other bytes in the topic of predictions are not read as one."""
    with pytest.raises(msgspec.DecodeError):
        decode_prediction(value)

"""A decoder that knows a model's categories rejects all others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import encode

from builders import TELCO, CustomerEvent, event_json
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.records.rejection import Rejection
from churnstream.schema.fields import Boolean, known_values

decode = EventDecoder(TELCO)
TEXTS = [name for name in TELCO.categorical if name != "SeniorCitizen"]


def test_known_customers_pass(customers: list[CustomerEvent]) -> None:
    """Nothing is rejected among the events that the categories were learned from."""
    outcomes = [decode(encode(event), event.customerID.encode()) for event in customers]

    assert [encode(outcome) for outcome in outcomes] == [encode(event) for event in customers]


@pytest.mark.parametrize("field", TEXTS)
def test_an_unknown_category_is_rejected(field: str) -> None:
    """The rejection names the field, the value and what the model knows."""
    value = event_json(**{field: "Weekly"})

    known = ", ".join(f'"{category}"' for category in known_values(TELCO.fields[field]))
    is_flag = isinstance(TELCO.fields[field], Boolean)
    problem = "none of" if is_flag else "unknown to the model; it knows"
    expected = f'"Weekly" is {problem} {known}'
    assert decode(value, b"7590-VHVEG") == Rejection("unknown_category", field, expected)


@pytest.mark.parametrize("value", ["", "two year", "Two  year", "\x00", "x" * 900_000])
def test_hostile_categories_make_one_short_line(value: str) -> None:
    """Whatever the value, the rejection is one printable line of moderate length."""
    outcome = decode(event_json(Contract=value), b"7590-VHVEG")

    assert isinstance(outcome, Rejection)
    assert str(outcome).isprintable()
    assert len(str(outcome)) < 400


@settings(deadline=None)
@given(st.sampled_from(TELCO.categorical), st.one_of(st.none(), st.integers(), st.text()))
def test_no_value_of_a_category_makes_it_raise(field: str, value: object) -> None:
    """Any value at all in a category's place gives an event or a rejection of that field."""
    outcome = decode(event_json(**{field: value}), b"7590-VHVEG")

    assert not isinstance(outcome, Rejection) or outcome.field == field

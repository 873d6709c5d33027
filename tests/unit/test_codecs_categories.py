"""A decoder that knows a model's categories refuses all others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import encode

from builders import CustomerEvent, event_json
from churnstream.codecs.events import EventDecoder
from churnstream.model.features import CATEGORICAL, FeatureSchema
from churnstream.records.rejection import Rejection


@pytest.fixture(scope="module")
def schema(customers: list[CustomerEvent]) -> FeatureSchema:
    """The categories of the bundled customers."""
    return FeatureSchema.of(customers)


@pytest.fixture(scope="module")
def decode(schema: FeatureSchema) -> EventDecoder:
    """A decoder that knows these categories."""
    return EventDecoder(schema.categories)


def test_known_customers_pass(customers: list[CustomerEvent], decode: EventDecoder) -> None:
    """Nothing is refused among the events that the categories were learned from."""
    outcomes = [decode(encode(event), event.customerID.encode()) for event in customers]

    assert [encode(outcome) for outcome in outcomes] == [encode(event) for event in customers]


@pytest.mark.parametrize("field", CATEGORICAL)
def test_an_unknown_category_is_refused(
    field: str, schema: FeatureSchema, decode: EventDecoder
) -> None:
    """The rejection names the field, the value and what the model knows."""
    value = event_json(**{field: "Weekly"})

    known = ", ".join(f'"{category}"' for category in schema.categories[field])
    expected = f'"Weekly" is unknown to the model; it knows {known}'
    assert decode(value, b"7590-VHVEG") == Rejection("unknown_category", field, expected)


@pytest.mark.parametrize("value", ["", "two year", "Two year ", "\x00", "x" * 900_000])
def test_hostile_categories_make_one_short_line(value: str, decode: EventDecoder) -> None:
    """Whatever the value, the rejection is one printable line of moderate length."""
    outcome = decode(event_json(Contract=value), b"7590-VHVEG")

    assert isinstance(outcome, Rejection)
    assert str(outcome).isprintable()
    assert len(str(outcome)) < 400


@settings(deadline=None)
@given(st.sampled_from(CATEGORICAL), st.one_of(st.none(), st.integers(), st.text()))
def test_no_value_of_a_category_makes_it_raise(field: str, value: object) -> None:
    """Any value at all in a category's place gives an event or a rejection of that field."""
    decode = EventDecoder({field: ("Yes", "No")})

    outcome = decode(event_json(**{field: value}), b"7590-VHVEG")

    assert isinstance(outcome, CustomerEvent) or outcome.field == field

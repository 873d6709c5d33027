"""What the model reads of an event, and which events it refuses."""

import sys

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from churnstream.messages import CustomerEvent, Rejection
from churnstream.model.features import CATEGORICAL, FEATURES, NUMERIC, FeatureSchema, check, frame


@pytest.fixture(scope="module")
def schema(customers: list[CustomerEvent]) -> FeatureSchema:
    """What the bundled customers teach."""
    return FeatureSchema.of(customers)


def test_schema_knows_every_category_that_occurs(schema: FeatureSchema) -> None:
    """A schema holds the sorted values of each text column and names the numeric ones."""
    assert tuple(schema.categories) == CATEGORICAL
    assert schema.numeric == ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")
    assert schema.categories["Contract"] == ("Month-to-month", "One year", "Two year")


def test_frame_has_the_raw_features(customers: list[CustomerEvent]) -> None:
    """The frame has all columns of the data set but the ID and the label, row by row."""
    rows = frame(customers[:100])

    assert tuple(rows.columns) == FEATURES
    assert len(FEATURES) == 19
    assert rows["Contract"].tolist() == [event.Contract for event in customers[:100]]
    assert rows["tenure"].tolist() == [event.tenure for event in customers[:100]]
    assert all(rows[name].dtype == np.float64 for name in NUMERIC)


def test_frame_of_no_events_has_the_same_columns(customers: list[CustomerEvent]) -> None:
    """An empty batch makes an empty frame of the same shape."""
    pd.testing.assert_frame_equal(frame([]), frame(customers[:1]).iloc[:0])


def test_a_new_customer_has_paid_nothing(customers: list[CustomerEvent]) -> None:
    """A null TotalCharges counts as 0."""
    new = [event for event in customers if event.TotalCharges is None]

    assert len(new) == 11
    assert frame(new)["TotalCharges"].tolist() == [0.0] * 11


def test_absurd_numbers_stay_finite_in_single_precision(customers: list[CustomerEvent]) -> None:
    """The largest numbers that an event can hold do not overflow in any estimator."""
    largest = sys.float_info.max
    event = replace(customers[0], tenure=2**63 - 1, MonthlyCharges=largest, TotalCharges=largest)

    assert np.isfinite(frame([event])[list(NUMERIC)].to_numpy(np.float32)).all()


def test_known_customers_pass(customers: list[CustomerEvent], schema: FeatureSchema) -> None:
    """Nothing is rejected among the events that the schema was learned from."""
    assert check(customers, schema) == {}


@pytest.mark.parametrize("field", CATEGORICAL)
def test_an_unknown_category_is_rejected(
    field: str, customers: list[CustomerEvent], schema: FeatureSchema
) -> None:
    """A category outside the schema rejects its event alone, by field, value and known values."""
    events = customers[:5]
    events[3] = replace(events[3], **{field: "Weekly"})
    known = ", ".join(f'"{category}"' for category in schema.categories[field])

    expected = f'"Weekly" is unknown to the model; it knows {known}'
    assert check(events, schema) == {3: Rejection("unknown_category", field, expected)}


def test_the_first_column_of_several_is_named(
    customers: list[CustomerEvent], schema: FeatureSchema
) -> None:
    """An event with several unknown categories gets one rejection, for the first column."""
    event = replace(customers[0], gender="?", Contract="?", PaymentMethod="?")

    assert [rejection.field for rejection in check([event], schema).values()] == ["gender"]


@pytest.mark.parametrize("value", ["", "two year", "Two year ", "\x00", "\ud800", "x" * 900_000])
def test_hostile_categories_make_one_short_line(
    value: str, customers: list[CustomerEvent], schema: FeatureSchema
) -> None:
    """Whatever the value, the rejection is one printable line of moderate length."""
    detail = check([replace(customers[0], Contract=value)], schema)[0].detail

    assert detail.isprintable()
    assert len(detail) < 400

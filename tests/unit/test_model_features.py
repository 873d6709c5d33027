"""What the model reads of an event, and which events it refuses."""

import sys

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from builders import CustomerEvent
from churnstream.model.features import CATEGORICAL, FEATURES, NUMERIC, FeatureSchema, frame


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

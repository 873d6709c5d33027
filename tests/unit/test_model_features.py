"""What the model reads of an event, and which events it refuses."""

import sys

import msgspec
import numpy as np
import pandas as pd
from msgspec.structs import replace

from builders import TELCO, CustomerEvent
from churnstream.model.features import completed, frame
from churnstream.schema.fields import AnyField, Boolean, Category, known_values
from churnstream.schema.schema import Schema


def test_categories_that_list_no_values_get_those_that_occur(
    customers: list[CustomerEvent],
) -> None:
    """Sorted, where another one is to be rejected; where it counts as another, none are listed."""
    listed = TELCO.fields["Contract"]
    assert isinstance(listed, Category)
    blank = msgspec.structs.replace(listed, values=None)
    fields = {"Contract": blank, "other": msgspec.structs.replace(blank, unknown="other")}
    schema = msgspec.structs.replace(TELCO, fields=TELCO.fields | fields)

    known = completed(schema, customers).fields

    assert known["Contract"] == listed
    assert known["other"] == fields["other"]
    assert completed(TELCO, customers).fields == TELCO.fields


def test_what_may_stand_in_a_categorical_field() -> None:
    """The values of a category or flag as events hold them, None among them where it may miss."""
    fields: dict[str, AnyField] = {
        "plan": Category(values=("a", "b"), missing="allow"),
        "flag": Boolean(),
        "said": Boolean(values=("No", "Yes"), missing="allow"),
    }
    schema = Schema(name="x", id="id", fields=fields)

    assert [known_values(schema.fields[name]) for name in fields] == [
        ("a", "b", None),
        (0, 1),
        ("No", "Yes", None),
    ]


def test_frame_has_the_raw_features(customers: list[CustomerEvent]) -> None:
    """The frame has all columns of the data set but the ID and the label, row by row."""
    rows = frame(TELCO, customers[:100])

    assert list(rows.columns) == list(TELCO.fields)
    assert len(TELCO.fields) == 19
    assert rows["Contract"].tolist() == [event.Contract for event in customers[:100]]
    assert rows["tenure"].tolist() == [event.tenure for event in customers[:100]]
    assert all(rows[name].dtype == np.float64 for name in TELCO.numeric)


def test_frame_of_no_events_has_the_same_columns(customers: list[CustomerEvent]) -> None:
    """An empty batch makes an empty frame of the same shape."""
    pd.testing.assert_frame_equal(frame(TELCO, []), frame(TELCO, customers[:1]).iloc[:0])


def test_a_new_customer_has_paid_nothing(customers: list[CustomerEvent]) -> None:
    """A null TotalCharges counts as 0."""
    new = [event for event in customers if event.TotalCharges is None]

    assert len(new) == 11
    assert frame(TELCO, new)["TotalCharges"].tolist() == [0.0] * 11


def test_absurd_numbers_stay_finite_in_single_precision(customers: list[CustomerEvent]) -> None:
    """The largest numbers that an event can hold do not overflow in any estimator."""
    largest = sys.float_info.max
    event = replace(customers[0], tenure=2**63 - 1, MonthlyCharges=largest, TotalCharges=largest)

    assert np.isfinite(frame(TELCO, [event])[list(TELCO.numeric)].to_numpy(np.float32)).all()

"""What the events of a topic look like, inferred from some of them."""

from typing import Any

import pytest
from event_shapes import ROW, change, scored
from hypothesis import given
from hypothesis import strategies as st

from churnstream.schema.inference.event_shape import key_of, shape_of

SHAPES = {shape.title: shape for shape in scored()}


@pytest.mark.parametrize(
    ("title", "envelope", "time", "time_format", "key"),
    [
        ("our own", None, None, "rfc3339", "id"),
        ("an object inside", "customer", None, "rfc3339", "id"),
        ("deep inside, the time outside", "a.b.c", "at", "rfc3339", "id"),
        ("no time", None, "record", "rfc3339", "id"),
        ("a time without zone", None, "at", "local", "id"),
        ("seconds since 1970", None, "at", "epoch-seconds", "id"),
        ("milliseconds since 1970", None, "at", "epoch-millis", "id"),
        ("no key", None, None, "rfc3339", "any"),
        ("a key that is not the id", None, None, "rfc3339", "any"),
        ("the id within the key", None, None, "rfc3339", "customer.id"),
        ("Debezium: a row updated", "debezium", None, "rfc3339", "id"),
        ("Debezium: within `payload`", "debezium", None, "rfc3339", "id"),
        ("Debezium: its key", "debezium", None, "rfc3339", "id"),
        ("CloudEvents: structured", "cloudevents", None, "rfc3339", "id"),
    ],
)
def test_a_shape(
    title: str, envelope: str | None, time: str | None, time_format: str, key: str
) -> None:
    """Envelope, time and key are those that its line in the documents has."""
    shape = SHAPES[title]
    found = shape_of([shape.value] * 3)
    assert (found.envelope, found.time, found.time_format) == (envelope, time, time_format)
    assert key_of([shape.key] * 3, ["C-1"] * 3, "CustomerId") == key
    assert found.rows[0]["CustomerId"] == "C-1"


def test_fields_in_several_places() -> None:
    """A column has the last of its names, and a path."""
    found = shape_of([SHAPES["fields in several places"].value])
    assert found.names == {"age": "person.age", "country": "person.address.country"}
    twice = shape_of([{"id": 1, "a": {"name": "x"}, "b": {"name": "y"}, "c": 1, "d": 2}])
    assert twice.names == {"a_name": "a.name", "b_name": "b.name"}


def test_events_without_a_customer() -> None:
    """Deletes, tombstones and what is no object are left out."""
    events: list[Any] = [change("c", ROW)] * 20 + [change("d", None), None, 7]
    found = shape_of(events)
    assert found.envelope == "debezium"
    assert found.positions == list(range(20))


def test_the_time_is_no_feature() -> None:
    """It says when, and nothing of a customer."""
    found = shape_of([{"id": "1", "updated_at": 1767323045000, "age": 4}] * 3)
    assert (found.time, found.time_format) == ("updated_at", "epoch-millis")
    assert found.rows[0] == {"id": "1", "age": 4}


def test_times_that_are_texts() -> None:
    """Digits in a text are a time as a number is; one that is called otherwise is only named."""
    found = shape_of([{"id": "1", "at": "1767323045000000"}])
    assert (found.time, found.time_format, found.like_times) == ("at", "epoch-micros", {})
    other = shape_of([{"id": "1", "erzeugt": "2026-01-02T03:04:05Z", "phone": 4930123456}])
    assert (other.time, other.like_times) == ("record", {"erzeugt": "rfc3339"})


def test_attributes_in_headers() -> None:
    """The fields of a CloudEvent in binary mode are at the outermost object."""
    found = shape_of([{"id": "1", "plan": {"name": "a"}}], in_headers=True)
    assert (found.envelope, found.time) == ("cloudevents", None)
    assert found.names == {"name": "plan.name"}


def test_rows_have_what_values_mean() -> None:
    """The time is found where it stands as a number, and the rows have days as files have them."""
    event = {"id": "1", "since": 19787, "changed_at": 1767323045000}
    found = shape_of([event], [{**event, "since": "2024-03-05", "changed_at": "2026-01-02T03:04Z"}])
    assert (found.time, found.time_format) == ("changed_at", "epoch-millis")
    assert found.rows == [{"id": "1", "since": "2024-03-05"}]


def test_columns_of_a_file_in_events() -> None:
    """They are found under names that differ in case and separators, unless two are alike."""
    found = shape_of([{"customer_id": "1", "p": {"age": 4}, "a": {"x": 1}, "b": {"x": 2}}])
    places = found.places({"CustomerId", "Age", "x", "b_x", "Plan"})
    assert places == {"CustomerId": "customer_id", "Age": "age", "b_x": "b_x"}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["op", "after", "data", "id", "ts", "a"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.lists(ANYTHING, max_size=5), st.lists(ANYTHING, min_size=5, max_size=5))
def test_anything_may_be_in_a_topic(events: list[Any], keys: list[Any]) -> None:
    """Nothing is raised, and each row is of an event."""
    found = shape_of(events)
    assert len(found.rows) == len(found.positions) <= len(events)
    assert key_of(keys[: len(events)], ["1"] * len(events), "id")

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

"""A schema of a bank, and the one customer that every shape of an event must become."""

from datetime import UTC, date, datetime
from typing import Any

from event_shapes import ROW

from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.event_source import EventSource as Source
from churnstream.schema.fields import AnyField, Boolean, Category, Date, Integer, Number
from churnstream.schema.schema import Label, Schema

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FIELDS: dict[str, AnyField] = {
    "Age": Integer(min=18),
    "Balance": Number(min=0.0, missing="allow"),
    "Country": Category(values=("France", "Spain")),
    "HasCard": Boolean(),
    "Since": Date(),
}


def bank(source: Source | None) -> Schema:
    """A schema of a bank whose events come from such a source."""
    return Schema(
        name="bank", id="CustomerId", fields=FIELDS, label=Label("Exited", "1"), source=source
    )


def assert_is_the_row(event: Any) -> None:
    """The event is the one of `ROW`, of the time `NOW`."""
    assert not isinstance(event, Rejection | PassedOver), event
    schema = bank(None)
    values = {name: schema.getter(name)(event) for name in FIELDS}
    assert schema.id_of(event) == "C-1"
    assert values == {**{n: ROW[n] for n in FIELDS}, "Since": date(2024, 3, 5)}
    assert event.event_ts == NOW

"""Rows of customers as records in the form that the schema's source has."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builders import TELCO, customer, write_csv
from churnstream.codecs.customer_rows import CustomerRows, open_rows
from churnstream.codecs.registered_encoders import registered_encoder
from churnstream.codecs.registered_schemas import registered_schema
from churnstream.codecs.registry_values import RegistryValues
from churnstream.errors import ConfigurationError, DataError
from churnstream.pipeline.encoding import event_form
from churnstream.pipeline.event_forms import EventForm, JsonEvents, TypedEvents
from churnstream.schema.event_source import EventSource
from churnstream.schema.schema import Schema
from churnstream.settings import Settings

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
STAMP = "2026-01-02T03:04:05.678901Z"


def avro_form() -> TypedEvents:
    """Events in Avro."""
    return TypedEvents(TELCO, registered_encoder("event", TELCO, "avro", 7), "avro")


def shown(value: bytes | None) -> dict[str, Any]:
    """An event, whatever it is written in."""
    text = registered_schema("event", TELCO, "avro")
    as_json = RegistryValues(None, {7: text}.get).as_json(value) or b""
    found: dict[str, Any] = json.loads(as_json)
    return found


def sent(form: EventForm, rows: CustomerRows) -> list[tuple[bytes | None, dict[str, Any]]]:
    """All rows as records."""
    (batch,) = rows.batches(100)
    return [(one["key"], shown(one["value"])) for one in form.records(batch, NOW)]


def drawn(form: EventForm, rows: CustomerRows) -> list[tuple[bytes | None, dict[str, Any]]]:
    """The second and the first customer, later on."""
    pool = form.pool(rows.sample(10, 1))
    return [(one["key"], shown(one["value"])) for one in pool.records([1, 0], NOW)]


@pytest.mark.parametrize("form", [JsonEvents(TELCO), avro_form()], ids=["json", "avro"])
def test_rows_are_the_same_customers_in_every_form(form: EventForm, tmp_path: Path) -> None:
    """Sent in order, or drawn at another time."""
    rows = open_rows(write_csv(tmp_path / "a.csv", 3), TELCO)
    form.check(rows)
    expected = [
        (f"C{n}".encode(), {**customer(customerID=f"C{n}"), "event_ts": STAMP}) for n in range(3)
    ]

    found = [(key, event | {"Churn": None}) for key, event in sent(form, rows)]
    assert found == [(key, event | {"Churn": None}) for key, event in expected]
    assert [key for key, _ in drawn(form, rows)] == [b"C1", b"C0"]
    assert {event["event_ts"] for _, event in drawn(form, rows)} == {STAMP}


def test_a_stream_has_its_own_times_where_a_column_says_when_rows_were_observed(
    tmp_path: Path,
) -> None:
    """What is drawn again and again is observed when it is sent."""
    path = tmp_path / "a.csv"
    path.write_text("id,x,seen\nA,1,2020-01-01\nB,2,2020-01-02\n")
    schema = msgspec.json.decode(
        b'{"name":"x","id":"id","fields":{"x":{"type":"integer"}},"event_time":"seen"}', type=Schema
    )
    rows = open_rows(path, schema)
    form = JsonEvents(schema)

    assert [event["event_ts"][:10] for _, event in sent(form, rows)] == ["2020-01-01", "2020-01-02"]
    assert drawn(form, rows) == [
        (b"B", {"id": "B", "x": 2, "event_ts": STAMP}),
        (b"A", {"id": "A", "x": 1, "event_ts": STAMP}),
    ]


def test_rows_that_fit_no_type_are_counted_before_the_first_is_sent(tmp_path: Path) -> None:
    """In one line, with the first of them; JSON takes them all."""
    path = write_csv(tmp_path / "a.csv", 5)
    lines = path.read_text().splitlines()
    columns = lines[0].split(",")
    for number in (3, 4):
        cells = lines[number].split(",")
        cells[columns.index("tenure")] = "soon"
        lines[number] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    rows = open_rows(path, TELCO)

    JsonEvents(TELCO).check(rows)
    with pytest.raises(
        DataError, match=r"2 of 5 rows do not fit avro: 2 .* in tenure.*nothing was"
    ):
        avro_form().check(rows)


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ({"envelope": "debezium"}, "envelope"),
        ({"names": {"tenure": "months"}}, "names"),
        ({"time": "at"}, "time"),
        ({"time_format": "epoch-millis"}, "time_format"),
        ({"key": "customer.id"}, "key"),
        ({"only": {"type": "x"}}, "only"),
    ],
)
def test_a_topic_that_others_fill_is_not_written(source: dict[str, Any], key: str) -> None:
    """What `produce` writes there would not be read; it says which line says so."""
    schema = msgspec.structs.replace(TELCO, source=EventSource(**source))
    with pytest.raises(ConfigurationError, match=f"`source: {key}` in the schema telco"):
        event_form(Settings(), schema)


@pytest.mark.parametrize("source", [{}, {"time": "record"}, {"key": "any"}, {"zone": "Asia/Tokyo"}])
def test_a_source_that_reads_our_own_events_is_written(source: dict[str, Any]) -> None:
    """As JSON, since it says nothing else."""
    schema = msgspec.structs.replace(TELCO, source=EventSource(**source))
    assert isinstance(event_form(Settings(), schema), JsonEvents)


def test_a_format_takes_a_registry() -> None:
    """It says how to name one."""
    schema = msgspec.structs.replace(TELCO, source=EventSource(format="avro"))
    with pytest.raises(ConfigurationError, match="events in avro take a schema registry; name it"):
        event_form(Settings(), schema)

"""One customer in the events of many topics, and what the schema's source says of each."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

SCHEMA = """
name: bank
id: CustomerId
label: {field: Exited, churned: 1}
fields:
  Age: {type: integer, min: 18}
  Balance: {type: number, min: 0, missing: allow}
  Country: {type: category, values: [France, Spain]}
  HasCard: {type: boolean}
  Since: {type: date}
"""
STAMP = 1_767_323_045_000
"""2026-01-02T03:04:05Z, of the event and of its record, in milliseconds since 1970."""

ROW: dict[str, Any] = {
    "CustomerId": "C-1",
    "Age": 42,
    "Balance": 79.5,
    "Country": "Spain",
    "HasCard": 1,
    "Since": "2024-03-05",
}
TIMED = {**ROW, "event_ts": "2026-01-02T03:04:05Z"}
_NAMES = "names: {CustomerId: customer_id, Age: age, Balance: balance, Country: country, "
_NAMES += "HasCard: has_card, Since: since}"
_SNAKE = ("customer_id", "age", "balance", "country", "has_card", "since")
_SNAKE_ROW = dict(zip(_SNAKE, ROW.values(), strict=True))
_CLOUD = {
    "specversion": "1.0",
    "type": "customer.updated",
    "source": "/crm",
    "id": "1",
    "time": "2026-01-02T03:04:05Z",
}
_HEADERS = {f"ce_{name}": text for name, text in _CLOUD.items()}
_DAYS = (date(2024, 3, 5) - date(1970, 1, 1)).days
_DECIMAL = {"name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}
_CONNECT = {
    "type": "struct",
    "fields": [
        {
            "field": "after",
            "type": "struct",
            "fields": [
                {"field": "Balance", "type": "bytes", **_DECIMAL},
                {"field": "Since", "type": "int32", "name": "io.debezium.time.Date"},
            ],
        }
    ],
}


class Shape(NamedTuple):
    """An event of somebody's topic.

    Attributes:
        title: What is special about it.
        declared: What the schema says under `source:`, as YAML; empty for nothing.
        value: As JSON; None for a record without a value.
        key: Text, or an object.
    """

    title: str
    declared: str
    value: Any
    key: Any = "C-1"
    headers: Mapping[str, str] = {}

    @property
    def raw_value(self) -> bytes | None:
        """As it travels."""
        return None if self.value is None else json.dumps(self.value).encode()

    @property
    def raw_key(self) -> bytes | None:
        """As it travels."""
        if self.key is None or isinstance(self.key, str):
            return None if self.key is None else self.key.encode()
        return json.dumps(self.key).encode()


def change(op: str, row: object, **more: object) -> dict[str, Any]:
    """A change as Debezium writes it, without its schema."""
    source = {"version": "3.6.1.Final", "connector": "postgresql", "ts_ms": STAMP, "table": "bank"}
    return {"before": None, "after": row, "source": source, "op": op, "ts_ms": STAMP + 40, **more}


def scored() -> Iterator[Shape]:
    """Events that hold the customer of `ROW`."""
    yield from _flat()
    yield from _nested()
    yield from _times()
    yield from _keys()
    yield from _values()
    yield from _debezium()
    yield from _cloud_events()


def _flat() -> Iterator[Shape]:
    yield Shape("our own", "", TIMED)
    yield Shape("more fields than the schema's", "", {**TIMED, "Name": "Doe", "more": {"x": [1]}})
    yield Shape("names in snake_case", f"{_NAMES}, time: record", _SNAKE_ROW)
    land = {"land" if name == "Country" else name: value for name, value in ROW.items()}
    yield Shape("one other name", "names: {Country: land}, time: record", land)


def _nested() -> Iterator[Shape]:
    yield Shape("an object inside", "envelope: customer", {"customer": TIMED, "version": 2})
    yield Shape(
        "deep inside, the time outside",
        "envelope: a.b.c, time: at",
        {"at": TIMED["event_ts"], "a": {"b": {"c": ROW}}},
    )
    outer = {name: value for name, value in ROW.items() if name not in ("Age", "Country")}
    yield Shape(
        "fields in several places",
        "names: {Age: person.age, Country: person.address.country}, time: record",
        {**outer, "person": {"age": 42, "address": {"country": "Spain"}}},
    )
    yield Shape("a type beside the fields", "only: {kind: update}", {**TIMED, "kind": "update"})


def _times() -> Iterator[Shape]:
    def timed(title: str, declared: str, at: object) -> Shape:
        return Shape(title, f"time: at{declared}", {**ROW, "at": at})

    yield Shape("no time", "time: record", ROW)
    yield timed("a time by another name", "", TIMED["event_ts"])
    yield timed("a time of another zone", "", "2026-01-02T04:04:05+01:00")
    local = ", time_format: local, zone: Europe/Berlin"
    yield timed("a time without zone", local, "2026-01-02 04:04:05")
    yield timed("seconds since 1970", ", time_format: epoch-seconds", STAMP // 1000)
    yield timed("milliseconds since 1970", ", time_format: epoch-millis", STAMP)
    yield timed("milliseconds since 1970, as text", ", time_format: epoch-millis", str(STAMP))
    yield timed("microseconds since 1970", ", time_format: epoch-micros", STAMP * 1000)


def _keys() -> Iterator[Shape]:
    yield Shape("no key", "key: any", TIMED, None)
    yield Shape("a key that is not the id", "key: any", TIMED, "shard 7")
    yield Shape("the id within the key", "key: customer.id", TIMED, {"customer": {"id": "C-1"}})


def _values() -> Iterator[Shape]:
    def other(title: str, **values: object) -> Shape:
        return Shape(title, "time: record", {**ROW, **values})

    yield other("numbers as text", Age="42", Balance="79.5")
    comma = 'time: record, decimal: ",", thousands: "."'
    yield Shape("a decimal comma", comma, {**ROW, "Balance": "79,50"})
    yield Shape("a decimal comma and a unit", comma, {**ROW, "Balance": "79,50 EUR"})
    yield other("`42.0` for a whole number", Age=42.0)
    yield other("`true` for a flag", HasCard=True)
    yield other("`Yes` for a flag", HasCard="Yes")
    yield other("days since 1970", Since=_DAYS)
    yield other("a day in milliseconds since 1970", Since=_DAYS * 86_400_000)


def _debezium() -> Iterator[Shape]:
    plain = "envelope: debezium"
    yield Shape("Debezium: a row inserted", plain, change("c", ROW))
    yield Shape("Debezium: a row updated", plain, change("u", ROW, before=ROW))
    yield Shape("Debezium: a row of the snapshot", plain, change("r", ROW))
    yield Shape("Debezium: within `payload`", plain, {"payload": change("c", ROW)})
    precise = {**ROW, "Balance": b64encode((7950).to_bytes(2, "big")).decode(), "Since": _DAYS}
    yield Shape(
        "Debezium: with its schema, decimals as bytes",
        plain,
        {"schema": _CONNECT, "payload": change("c", precise)},
    )
    scaled = {"scale": 2, "value": precise["Balance"]}
    yield Shape(
        "Debezium: a decimal that says its scale", plain, change("c", {**ROW, "Balance": scaled})
    )
    zoned = {**ROW, "Since": f"{ROW['Since']}Z"}
    yield Shape("Debezium: a day with its zone", plain, change("c", zoned))
    yield Shape(
        "Debezium: its key",
        f"{plain}, key: payload.CustomerId",
        {"payload": change("c", ROW)},
        {"schema": {}, "payload": {"CustomerId": "C-1"}},
    )
    yield Shape("Debezium: columns in snake_case", f"{plain}, {_NAMES}", change("u", _SNAKE_ROW))


def _cloud_events() -> Iterator[Shape]:
    plain, of_type = "envelope: cloudevents", "only: {type: customer.updated}"
    yield Shape("CloudEvents: structured", plain, {**_CLOUD, "data": ROW})
    yield Shape("CloudEvents: binary, in headers", plain, ROW, headers=_HEADERS)
    yield Shape("CloudEvents: of one type", f"{plain}, {of_type}", {**_CLOUD, "data": ROW})
    yield Shape("CloudEvents: of one type, binary", f"{plain}, {of_type}", ROW, headers=_HEADERS)


def passed_over() -> Iterator[Shape]:
    """Events that hold no customer, by a rule."""
    plain = "envelope: debezium"
    yield Shape("Debezium: a row deleted", plain, change("d", None, before=ROW))
    yield Shape("Debezium: the tombstone after it", plain, None)
    yield Shape("Debezium: a table truncated", plain, change("t", None))
    yield Shape("an event of another type", "only: {kind: update}", {**TIMED, "kind": "read"})
    other = {**_CLOUD, "type": "customer.seen", "data": ROW}
    yield Shape(
        "CloudEvents: of another type",
        "envelope: cloudevents, only: {type: customer.updated}",
        other,
    )


def rejected() -> Iterator[Shape]:
    """Events that cannot be used as the schema has it; what is said leads to the right source."""
    yield Shape("an object inside, not declared", "", {"customer": TIMED})
    yield Shape("another object inside", "envelope: client", {"customer": TIMED})
    yield Shape("no time, not declared", "", ROW)
    yield Shape("milliseconds, not declared", "", {**ROW, "event_ts": STAMP})
    yield Shape("no key, not declared", "", TIMED, None)
    yield Shape("Debezium, not declared", "", change("c", ROW))
    yield Shape("a decimal comma, not declared", "", {**TIMED, "Balance": "1.079,50"})
    yield Shape("a tombstone, not declared", "", None)

"""Customers in the events of somebody else's topic."""

import json
from pathlib import Path
from typing import Any

import pytest
from event_shapes import ROW, STAMP, TIMED, Shape, change, scored
from hypothesis import given
from hypothesis import strategies as st
from write_topics import outcome, schema_of

from bank_rows import assert_is_the_row, bank
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.source_hints import with_hint
from churnstream.codecs.source_records import Arrived
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.event_source import EventSource as Source


def decoded(
    source: Source | None,
    value: object,
    key: object = "C-1",
    headers: dict[str, str] | None = None,
) -> Any:
    """What becomes of a record."""
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    own_key = (
        key if key is None else key.encode() if isinstance(key, str) else json.dumps(key).encode()
    )
    own = [(name, text.encode()) for name, text in (headers or {}).items()]
    decode = EventDecoder(bank(source))
    if source is None:
        return decode.batch([raw], [own_key])[0]
    return decode.batch_of([Arrived(raw, own_key, STAMP, own)])[0]


CLOUD = {"specversion": "1.0", "type": "customer.updated", "time": "2026-01-02T03:04:05Z"}
AT_RECORD = Source(time="record")
SOURCES = [
    *(Source(), AT_RECORD, Source(envelope="payload.after"), Source(envelope="debezium")),
    *(Source(envelope="cloudevents"), Source(names={"Age": "payload.op"}, key="any")),
    *(Source(time="ts_ms", time_format="epoch-millis"), Source(time="op", time_format="local")),
    *(Source(only={"payload.op": "c"}), Source(envelope="debezium", key="payload.after")),
]


@pytest.mark.parametrize("shape", [*scored()], ids=lambda shape: shape.title)
def test_a_customer_is_found(shape: Shape, tmp_path: Path) -> None:
    """In whatever shape it comes, with the line of the source that says so."""
    assert_is_the_row(outcome(shape, schema_of(shape, tmp_path)))


def test_a_customer_with_an_id_of_digits() -> None:
    """A whole number names a customer as its text does, in the value and in the key."""
    source = Source(envelope="debezium", key="id", names={"CustomerId": "id"})
    event = decoded(
        Source(envelope="debezium", key="any"), change("c", {**ROW, "CustomerId": 17}), None
    )
    assert event.CustomerId == "17"
    structured = Source(envelope="debezium", key="id.x", names={"CustomerId": "id"})
    row = {**{n: v for n, v in ROW.items() if n != "CustomerId"}, "id": 17}
    assert decoded(structured, change("c", row), {"id": {"x": 17}}).CustomerId == "17"
    assert decoded(source, change("c", row), "17").CustomerId == "17"


@pytest.mark.parametrize(
    ("source", "value", "rule"),
    [
        (Source(envelope="debezium"), change("d", None, before=ROW), "deleted"),
        (Source(envelope="debezium"), {"payload": change("d", None)}, "deleted"),
        (Source(envelope="debezium"), None, "tombstone"),
        (Source(envelope="debezium"), change("t", None), "no_row"),
        (Source(only={"kind": "update"}), {**TIMED, "kind": "read"}, "filtered"),
        (Source(only={"kind": "update"}), TIMED, "filtered"),
        (Source(only={"a.b": ("1", "true")}), {**TIMED, "a": {"b": 2}}, "filtered"),
        (
            Source(envelope="cloudevents", only={"type": "x"}),
            {**CLOUD, "data": ROW},
            "filtered",
        ),
    ],
)
def test_passed_over(source: Source, value: object, rule: str) -> None:
    """What holds no customer by rule is neither scored nor rejected."""
    assert decoded(source, value) == PassedOver(rule)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "value", "key", "said"),
    [
        (Source(envelope="customer"), TIMED, "C-1", "value: has no customer, which `source`"),
        (Source(envelope="a.b"), {"a": 1}, "C-1", '"a": expected object'),
        (Source(), b"{", "C-1", "value: is not JSON"),
        (Source(), b"", "C-1", "value: is empty"),
        (Source(), None, "C-1", "value: is null (a tombstone)"),
        (Source(), [1], "C-1", "value: expected object"),
        (Source(), ROW, "C-1", "event_ts: is missing; it is read from event_ts"),
        (Source(time="at"), ROW, "C-1", "event_ts: is missing; it is read from at"),
        (
            Source(time="at", time_format="epoch-millis"),
            {**ROW, "at": "soon"},
            "C-1",
            "event_ts: at is no time",
        ),
        (
            Source(time="at", time_format="epoch-millis"),
            {**ROW, "at": 10**20},
            "C-1",
            "event_ts: at is no time",
        ),
        (
            Source(time="at", time_format="local"),
            {**ROW, "at": 5},
            "C-1",
            "event_ts: at is no time",
        ),
        (AT_RECORD, {**ROW, "Age": "old"}, "C-1", "Age: expected a whole number"),
        *(
            (AT_RECORD, {**ROW, "Balance": odd}, "C-1", "Balance: expected a number, got an object")
            for odd in (
                {"scale": 2, "value": "no base64"},
                {"scale": 2, "value": 123456},
                {"scale": 10**30, "value": "Hw4="},
                {"scale": 2, "value": "Hw4=", "more": 1},
                {},
            )
        ),
        (AT_RECORD, {**ROW, "Since": "2024-03-99Z"}, "C-1", "Since: "),
        (AT_RECORD, ROW, None, "key: is null; expected CustomerId"),
        (AT_RECORD, ROW, "C-2", 'key: is "C-2"; expected CustomerId'),
        (Source(key="id", time="record"), ROW, {"id": "C-1"}, "key: is"),
        (Source(time="record"), ROW, {"CustomerId": "C-2"}, 'key: is "C-2"'),
        (Source(key="id.x", time="record"), ROW, "no object", 'key: is "no object"'),
        (Source(envelope="debezium"), change("c", None), "C-1", "value: has no after"),
        (AT_RECORD, b'{"Age": 1, "Age": 2}', "C-1", '"Age": appears more than once'),
        (Source(names={"Age": "x.y"}), {**TIMED, "x": {"z": 1}}, "C-1", "Age: is missing"),
    ],
)
def test_rejected(source: Source, value: object, key: object, said: str) -> None:
    """What cannot be read is rejected in words that name where it was looked for."""
    found = decoded(source, value, key)
    assert isinstance(found, Rejection), found
    assert str(found).startswith(said)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*ROW, "payload", "after", "op", "source", "ts_ms", "data"]), inner
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(SOURCES),
    st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()),
    st.none() | st.binary(max_size=20),
    st.integers(-(2**63), 2**63 - 1),
)
def test_anything_may_come(source: Source, value: bytes, key: bytes | None, stamp: int) -> None:
    """No record raises, whatever it holds: it is an event, passed over, or rejected."""
    decode = EventDecoder(bank(source))
    (found,) = decode.batch_of([Arrived(value, key, stamp, [("ce_time", None)])])
    assert found is not None


@pytest.mark.parametrize(
    "key", [{"CustomerId": "C-1"}, {"schema": {}, "payload": {"CustomerId": "C-1", "more": 1}}]
)
@pytest.mark.parametrize("source", [AT_RECORD, Source(time="record", only={"Age": "42"})])
def test_a_key_that_holds_the_id_under_its_name(source: Source, key: object) -> None:
    """As Debezium writes the primary key, without a line that says so."""
    assert_is_the_row(decoded(source, ROW, key))


MILLIS = 1_795_703_353_949


@pytest.mark.parametrize(
    ("source", "event", "line"),
    [
        (Source(time="meta.at"), {"meta": {"at": MILLIS}}, "time_format: epoch-millis"),
        (Source(time="meta.at"), {"meta": {"at": "2.1.2026"}}, "time_format: local, zone"),
        (Source(envelope="cloudevents"), {"time": MILLIS // 1000}, "time_format: epoch-seconds"),
        (Source(time="at"), {"meta": {"at": MILLIS}}, "time: meta.at, time_format: epoch-millis"),
        (Source(), {"meta": {"occurredAt": MILLIS}}, "time: meta.occurredAt, time_format: epoch-m"),
        (Source(), {"flat": MILLIS}, "time: record"),
    ],
)
def test_a_time_that_is_not_read_is_looked_at_where_the_source_says(
    source: Source, event: dict[str, Any], line: str
) -> None:
    """The hint speaks of what stands there, or says where a time is."""
    is_missing = line.startswith("time: ")
    why = Rejection(
        "missing_field" if is_missing else "invalid_value", "event_ts", "cannot be read"
    )
    found = with_hint(why, json.dumps({**ROW, **event}).encode(), b"C-1", bank(source))
    assert f"source: {{{line}" in found.detail


@pytest.mark.parametrize(
    ("event", "field", "line"),
    [
        ({"homeCountry": "Spain"}, "Country", "names: {Country: homeCountry}"),
        ({"person": {"country_code": "Spain"}}, "Country", "names: {Country: person.country_code}"),
        ({"CountryA": "Spain", "CountryB": "France"}, "Country", None),
        ({"page": 7}, "Age", None),
    ],
)
def test_a_field_by_a_longer_name_is_proposed(
    event: dict[str, Any], field: str, line: str | None
) -> None:
    """If only one can be meant."""
    known = {name: value for name, value in TIMED.items() if name != field}
    why = Rejection("missing_field", field, "is missing")
    found = with_hint(why, json.dumps({**known, **event}).encode(), b"C-1", bank(None))
    assert found.detail == (f"is missing; {SAY}{{{line}}}" if line else "is missing")


@pytest.mark.parametrize("name", ["type", "eventType", "event_type", "kind", "EventName"])
def test_an_event_of_another_type_may_be_passed_over(name: str) -> None:
    """It has none of the fields, and says its type."""
    why = Rejection("missing_field", "CustomerId", "is missing")
    event = {name: "gym.visit", "data": {"door": 3}}
    found = with_hint(why, json.dumps(event).encode(), b"C-1", bank(None))
    line = f"{{only: {{{name}: the type of customers' events}}}}"
    assert found.detail == f"is missing; to pass it over, say in the schema: source: {line}"


SAY = "to read it, say in the schema: source: "

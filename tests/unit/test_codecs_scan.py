"""Events that are scanned: the same as decoded ones, or left to the decoder."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import TELCO, customer
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.prediction_codec import encode_prediction
from churnstream.codecs.scan.event_scanner import EventScanner
from churnstream.codecs.scan.prediction_writer import written_predictions
from churnstream.codecs.scan.scan_layout import scan_layout
from churnstream.codecs.scan.scanned_events import ScannedColumns
from churnstream.model.features import numbers
from churnstream.records.prediction import ReasonGiven
from churnstream.records.rejection import Rejection
from churnstream.schema.fields import known_values
from churnstream.schema.record_types import Event, prediction_type
from churnstream.schema.schema import Schema
from made_customers import customers
from made_schemas import FLOATS, TEXTS

MANY = 60
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def scanned(schema: Schema, values: list[bytes], keys: list[bytes]) -> tuple[Any, Any]:
    """The columns of values, and which of them are read."""
    found = EventScanner(schema, lambda _: True)(values, keys)
    return found or (None, np.zeros(len(values), bool))


def assert_the_same(
    schema: Schema, values: list[bytes], keys: list[bytes], *, most: bool = False
) -> None:
    """What is read of a value is what its event holds; what is no event is not read."""
    columns, is_read = scanned(schema, values, keys)
    events = EventDecoder(schema).batch(values, keys)
    if columns is None:
        assert not most
        return
    assert not most or is_read.mean() > 0.5
    for row in np.flatnonzero(is_read).tolist():
        assert not isinstance(events[row], Rejection), values[row]
        assert_row(schema, columns, row, events[row])


def assert_row(schema: Schema, columns: ScannedColumns, row: int, event: Event) -> None:
    """A row of columns holds an event."""
    for name, column in columns.words.items():
        known, value = known_values(schema.fields[name]), schema.getter(name)(event)
        found = known[column[row]]
        assert (found, type(found)) == (value, type(value))
    for name, figures in columns.numbers.items():
        assert np.array_equal(figures[[row]], numbers(schema, [event], name), equal_nan=True)
    begin, end, at, until = columns.places[row].tolist()
    content = columns.events.content
    assert content[begin:end].tobytes().decode() == schema.id_of(event)
    assert datetime.fromisoformat(content[at:until].tobytes().decode()) == event.event_ts


def written(event: Event, separators: tuple[str, str] = (",", ":")) -> bytes:
    """An event as a producer writes it."""
    content = json.loads(msgspec.json.encode(event))
    return json.dumps(content, separators=separators, ensure_ascii=False).encode()


@given(customers(rows=MANY), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_customers_of_any_schema(
    made: tuple[Schema, list[Event]], separators: tuple[str, str]
) -> None:
    """Whatever their names and types, in the producer's order and with its blanks."""
    schema, events = made
    keys = [schema.id_of(event).encode("utf-8", "surrogatepass") for event in events]
    assert_the_same(schema, [written(event, separators) for event in events], keys)


def telco(**changes: Any) -> bytes:
    """An event."""
    return json.dumps(customer(**changes), separators=(",", ":")).encode()


USUAL = telco()
KEY = customer()["customerID"].encode()


def test_usual_events_are_read() -> None:
    """All of them."""
    values = [
        telco(tenure=n, MonthlyCharges=n + 0.25, TotalCharges=1e4 - n) for n in range(1, MANY)
    ]
    _, is_read = scanned(TELCO, [*values, USUAL], [KEY] * MANY)
    assert is_read.all()
    assert_the_same(TELCO, [*values, USUAL], [KEY] * MANY, most=True)


NUMBERS = st.one_of(
    FLOATS.map(repr),
    st.integers().map(str),
    st.from_regex(r"-?[0-9]{0,18}(\.[0-9]{0,18})?([eE][+-]?[0-9]{0,3})?", fullmatch=True),
    st.sampled_from(["-0", "-0.0", "0", "00", "01", "1.", ".5", "1e5", "null", "true", '"7"', ""]),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
)


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.sampled_from(["tenure", "MonthlyCharges"]))
def test_numbers_of_every_form(texts: list[str], name: str) -> None:
    """To the last bit, or not at all."""
    own = json.dumps(customer()[name]).encode()
    member = json.dumps(name).encode() + b":"
    odd = [USUAL.replace(member + own, member + text.encode()) for text in texts]
    assert_the_same(TELCO, [USUAL] * MANY + odd, [KEY] * (MANY + len(odd)), most=True)


STAMPS = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,8})?Z", fullmatch=True
    ),
    st.sampled_from(["2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2026-01-01T24:00:00Z"]),
    st.sampled_from(["2026-01-01T00:00:60Z", "2026-01-01T00:00:00z", "2026-01-01 00:00:00Z"]),
    st.sampled_from(["2026-01-01T00:00:00+00:00", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00.Z"]),
)


@given(st.lists(STAMPS, min_size=1, max_size=8))
def test_times_of_every_form(texts: list[str]) -> None:
    """Days that the calendar does not have are for the decoder."""
    own = json.dumps(customer()["event_ts"]).encode()
    odd = [USUAL.replace(own, json.dumps(text).encode()) for text in texts]
    assert_the_same(TELCO, [USUAL] * MANY + odd, [KEY] * (MANY + len(odd)), most=True)


@given(st.data())
def test_bytes_that_are_changed(data: st.DataObject) -> None:
    """Cut, overwritten, doubled or moved: what is read is what the decoder reads."""
    values = []
    for _ in range(10):
        value = bytearray(USUAL)
        at = data.draw(st.integers(0, len(value) - 1))
        size = data.draw(st.integers(0, 40))
        change = data.draw(
            st.binary(max_size=3)
            | st.just(bytes(value[at : at + size]) * 2)
            | st.sampled_from(
                [b'"', b"\\", b",", b":", b"{", b"}", b" ", b"\x00", b"\xff", b"null"]
            )
        )
        value[at : at + data.draw(st.integers(0, size))] = change
        values.append(bytes(value))
    assert_the_same(TELCO, [USUAL] * MANY + values, [KEY] * (MANY + 10), most=True)


@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_ids_of_every_form(names: list[str]) -> None:
    """Those with escapes, and those that are not their key, are for the decoder."""
    values = [telco(customerID=name) for name in names]
    values += [
        json.dumps(customer(customerID=n), ensure_ascii=False).encode("utf-8", "replace")
        for n in names
    ]
    keys = [name.encode("utf-8", "replace") for name in names] * 2
    assert_the_same(TELCO, [USUAL] * MANY + values, [KEY] * MANY + keys, most=True)
    _, is_read = scanned(TELCO, [USUAL] * MANY, [b"other"] * MANY)
    assert not is_read.any()


@pytest.mark.parametrize(
    "example",
    [
        b"{}",
        b"[]",
        b"",
        b"null",
        USUAL[:-1],
        USUAL + b"x",
        USUAL[:-1] + b',"gender":"Male"}',
        USUAL.replace(b'"tenure"', b'"tenur\\u0065"'),
        USUAL.replace(b'"gender"', b'"gander"'),
    ],
)
def test_what_has_no_layout(example: bytes) -> None:
    """An event that is none, or has a field twice, an escape in a name, or a field too few."""
    assert scan_layout(example, TELCO) is None


def test_another_layout_is_learnt() -> None:
    """A producer may change the order of its fields."""
    decode = EventDecoder(TELCO)
    scan = EventScanner(TELCO, lambda value: True)
    other = json.dumps(dict(reversed(customer().items()))).encode()
    for value, read in (
        (USUAL, True),
        (other, False),
        (other, True),
        (USUAL, False),
        (USUAL, True),
    ):
        found = scan([value] * MANY, [KEY] * MANY)
        assert found is not None
        assert found[1].all() == found[1].any() == read
    assert decode.batch([other], [KEY])


def test_events_that_are_never_alike_are_scanned_seldom() -> None:
    """A layout that fits none is looked for again after a hundred batches."""
    scan = EventScanner(TELCO, lambda value: True)
    assert scan([USUAL] * MANY, [b"x"] * MANY) is not None
    assert [scan([USUAL] * MANY, [KEY] * MANY) is None for _ in range(101)] == [True] * 100 + [
        False
    ]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1) | st.sampled_from([0.0, 1.0, 1e-4, 1e-12, 9.9e-5, 0.1, 0.5]),
            st.booleans(),
            st.integers(0, 2**31 - 1),
            st.integers(0, 2**63 - 1),
            st.none() | st.lists(st.builds(ReasonGiven, TEXTS, TEXTS, FLOATS, TEXTS), max_size=2),
        ),
        min_size=MANY,
        max_size=MANY + 4,
    ),
    st.datetimes(datetime(1970, 1, 1), datetime(2300, 1, 1), timezones=st.just(UTC)),
    TEXTS,
)
def test_predictions_are_written_as_the_encoder_writes_them(
    figures: list[Any], when: datetime, version: str
) -> None:
    """To the byte, or not at all."""
    stamps = [when.isoformat().replace("+00:00", "Z"), "2026-01-02T03:04:05.12Z"]
    values = [telco(customerID=f"C{n}", event_ts=stamps[n % 2]) for n in range(len(figures))]
    keys = [f"C{n}".encode() for n in range(len(figures))]
    columns, is_read = scanned(TELCO, values, keys)
    assert is_read.all()
    risks = np.rint(np.array([one[0] for one in figures]) * 1e12) / 1e12
    yes, partitions, offsets = (np.array([one[i] for one in figures]) for i in (1, 2, 3))
    reasons = [one[4] for one in figures]
    found = written_predictions(
        columns, risks, yes, partitions, offsets, reasons,
        id_name="customerID", version=version, now=NOW,
    )  # fmt: skip
    kind: Any = prediction_type(TELCO)
    for n, (value, one) in enumerate(zip(found, figures, strict=True)):
        own = datetime.fromisoformat(stamps[n % 2])
        answer = "Yes" if one[1] else "No"
        made = kind(f"C{n}", float(risks[n]), answer, own, NOW, version, one[2], one[3], one[4])
        assert value in (None, encode_prediction(made))
        assert value is not None or risks[n] < 1e-4


@pytest.mark.parametrize(
    ("change", "is_read"),
    [({"tenure": 0}, True), ({"tenure": 1}, False)],
)
def test_a_number_that_may_be_missing(change: dict[str, int], is_read: bool) -> None:
    """Null counts as the schema says, where another field has the value that it must have."""
    odd = telco(**change, TotalCharges=None)
    values, keys = [USUAL] * MANY + [odd], [KEY] * (MANY + 1)
    _, read = scanned(TELCO, values, keys)
    assert read.tolist() == [True] * MANY + [is_read]
    assert_the_same(TELCO, values, keys, most=True)


def test_no_index_leaves_its_array() -> None:
    """Machine code would read on behind the end; Python, by which all of this runs too, fails."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", __file__, "-k", "changed or form"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert "4 passed" in ran.stdout

"""Avro records that are read side by side, held against what fastavro reads of each."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from event_shapes import STAMP
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from bank_rows import assert_is_the_row, bank
from churnstream.codecs.avro_columns import UnusualTypeError
from churnstream.codecs.avro_cutter import AvroCutter
from churnstream.codecs.avro_values import avro_schema
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.own_layout import OwnLayout
from churnstream.codecs.registry_events import decode_framed
from churnstream.codecs.registry_framing import WriterSchema, framed
from churnstream.codecs.registry_values import RegistryValues
from churnstream.codecs.source_records import Arrived, Path, Unreadable
from churnstream.codecs.source_values import shortest
from churnstream.schema.event_source import EventSource as Source

MANY = 50
"""Records: enough to be read together."""
ENUM = {"type": "enum", "name": "Land", "symbols": ["France", "Spain"]}
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=100)
WANTED: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": FLOATS,
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32).map(shortest),
    "boolean": st.booleans(),
    "enum": st.sampled_from(["France", "Spain"]),
}
UNWANTED = {**WANTED, "bytes": st.binary(max_size=100), "fixed": st.binary(min_size=3, max_size=3)}


class Made:
    """A schema with records in records, what is wanted of it, and how to make values."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw, self._number = draw, 0
        self.wanted: dict[Path, str] = {}
        self.schema, self.values = self._record((), 0)
        self.schema["fields"].insert(draw(st.integers(0, 1)), {"name": "id", "type": "string"})

    def cutter(self) -> AvroCutter:
        """What writes them as our own events."""
        known = avro_schema(self.written)
        layout = OwnLayout("own", ("id",), tuple(self.wanted.items()))
        return AvroCutter(*known.bare, layout)

    @property
    def written(self) -> WriterSchema:
        """The schema as a registry has it."""
        return WriterSchema("AVRO", json.dumps(self.schema), {})

    def _record(self, path: Path, depth: int) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
        fields, values = [], {}
        self._number += 1
        own = f"R{self._number}"
        for _ in range(self._draw(st.integers(0 if depth else 1, 4))):
            self._number += 1
            name = f"f{self._number}"
            kind, of = self._field((*path, name), depth)
            if null := self._draw(st.sampled_from([None, 0, 1])):
                kind, of = [kind, "null"] if null else ["null", kind], st.none() | of
            fields.append({"name": name, "type": kind})
            values[name] = of
        if depth == 0:
            values["id"] = st.text("abc-1", max_size=9)
        return {"type": "record", "name": own, "fields": fields}, st.fixed_dictionaries(values)

    def _field(self, path: Path, depth: int) -> tuple[Any, st.SearchStrategy[Any]]:
        if depth < 2 and self._draw(st.integers(0, 3)) == 0:
            return self._record(path, depth + 1)
        is_wanted = self._draw(st.booleans())
        kind = self._draw(st.sampled_from(sorted(WANTED if is_wanted else UNWANTED)))
        if is_wanted:
            self.wanted[path] = f"own {len(self.wanted)}"
        if kind == "enum":
            return {**ENUM, "name": f"E{self._number}"}, UNWANTED[kind]
        fixed = {"type": "fixed", "name": f"X{self._number}", "size": 3}
        return fixed if kind == "fixed" else kind, UNWANTED[kind]

    def as_own(self, value: Any) -> dict[str, Any] | None:
        """Our own event; None where an object is missing on the way."""
        own = {"own": value["id"]}
        for path, name in self.wanted.items():
            found = value
            for step in path:
                if found is None:
                    return None
                found = found[step]
            own[name] = found
        return own


made = st.composite(Made)


def as_avro(schema: Any, value: object) -> bytes:
    """A value in Avro, framed."""
    stream = io.BytesIO()
    schemaless_writer(stream, parse_schema(schema), value)
    return framed(7, stream.getvalue())


def cut(one: Made, records: list[bytes]) -> list[Any]:
    """What becomes of records, without their time."""
    found, ids = one.cutter()(records, [STAMP] * len(records))
    own = [event and json.loads(event) for event in found]
    for event, customer in zip(own, ids, strict=True):
        if event:
            assert event.pop("event_ts") == "2026-01-02T03:04:05.000Z"
            assert event["own"] == (customer or b"").decode()
    return own


def is_odd(own: dict[str, Any]) -> bool:
    """Whether a text in it would be written otherwise in JSON."""
    texts = [text for text in own.values() if isinstance(text, str)]
    return any(char < " " or char in '"\\' for text in texts for char in text)


@given(made(), st.data())
def test_events_cut_out_of_avro_are_what_fastavro_reads(one: Made, data: st.DataObject) -> None:
    """But for events in which an object is missing, or a text is unusual."""
    values = data.draw(st.lists(one.values, min_size=1, max_size=5))
    found = cut(one, [as_avro(one.schema, value) for value in values])
    own = [one.as_own(value) for value in values]
    assert found == [None if event is None or is_odd(event) else event for event in own]


@given(made(), st.data())
def test_a_broken_record_among_others(one: Made, data: st.DataObject) -> None:
    """It is no event, or the one that fastavro reads; the others stay what they are."""
    good = [as_avro(one.schema, data.draw(one.values)) for _ in range(2)]
    broken = bytearray(good[0][: data.draw(st.integers(0, len(good[0])))])
    for _ in range(data.draw(st.integers(0, 3)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    broken += data.draw(st.binary(max_size=20))
    records = [good[0], bytes(broken), good[1]]
    alone = [cut(one, [record]) for record in good]
    try:
        first, found, last = cut(one, records)
    except UnicodeDecodeError:
        return  # no text, which whoever decodes the event says
    assert [first, last] == [event for (event,) in alone]
    if found is None:
        return
    read = as_fastavro_reads(one, bytes(broken)[5:])
    assert read is None or written(found) == written(read)


def written(event: dict[str, Any] | None) -> str:
    """An event as JSON, in which 1 and 1.0 and true are not the same."""
    return json.dumps(event, sort_keys=True)


def as_fastavro_reads(one: Made, payload: bytes) -> dict[str, Any] | None:
    """The event by fastavro; None if a text that nobody wants is none."""
    try:
        return one.as_own(avro_schema(one.written).read(payload))
    except Unreadable as error:
        if "codec can't decode" in str(error):
            return None
        raise


FIELDS: list[dict[str, Any]] = [
    {"name": "CustomerId", "type": "string"},
    {"name": "Age", "type": "int"},
    {"name": "Balance", "type": ["null", "double"]},
    {"name": "Country", "type": ENUM},
    {"name": "HasCard", "type": "int"},
    {"name": "Since", "type": {"type": "int", "logicalType": "date"}},
]
ROW = {"CustomerId": "C-1", "Age": 42, "Balance": 79.5, "Country": "Spain", "HasCard": 1}
CUSTOMER = {**ROW, "Since": 19_787}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
NANOS = {"type": "long", "logicalType": "timestamp-nanos"}


def record(name: str, /, **types: Any) -> dict[str, Any]:
    """A record with these fields."""
    fields = [{"name": field, "type": kind} for field, kind in types.items()]
    return {"type": "record", "name": name, "fields": fields}


def with_customer(**types: Any) -> dict[str, Any]:
    """The customer, and more fields."""
    return {"type": "record", "name": "C", "fields": [*FIELDS, *record("", **types)["fields"]]}


INSIDE = record("Outer", at="string", customer=["null", with_customer()])
ENVELOPE = record(
    "Envelope",
    before=["null", with_customer()],
    after=["null", "C"],
    source=record("Source", name="string", ts_ms="long", lsn=["null", "long"]),
    op="string",
)
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
PRICED = record("C")
PRICED["fields"] = [{**f, "type": DECIMAL} if f["name"] == "Balance" else f for f in FIELDS]
CHANGE = {"before": CUSTOMER, "after": CUSTOMER, "op": "u"}
CHANGE["source"] = {"name": "shop", "ts_ms": STAMP, "lsn": None}
TEXT = "2026-01-02T03:04:05Z"
KEY = record("Key", CustomerId="string")


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (with_customer(event_ts="string"), {**CUSTOMER, "event_ts": TEXT}, {}),
        (with_customer(event_ts=MILLIS), {**CUSTOMER, "event_ts": STAMP}, {}),
        (with_customer(event_ts=["null", NANOS]), {**CUSTOMER, "event_ts": STAMP * 10**6}, {}),
        (
            with_customer(event_ts="long"),
            {**CUSTOMER, "event_ts": STAMP},
            {"time_format": "epoch-millis"},
        ),
        (
            with_customer(event_ts=MILLIS),
            {**CUSTOMER, "event_ts": STAMP},
            {"time_format": "epoch-seconds"},
        ),
        (with_customer(), CUSTOMER, {"time": "record"}),
        (
            with_customer(kind="string"),
            {**CUSTOMER, "kind": "new"},
            {"time": "record", "only": {"kind": ("old", "new")}},
        ),
        (
            with_customer(more=record("P", x="bytes")),
            {**CUSTOMER, "more": {"x": b"1"}},
            {"time": "record"},
        ),
        (INSIDE, {"at": TEXT, "customer": CUSTOMER}, {"time": "at", "envelope": "customer"}),
        (PRICED, {**CUSTOMER, "Balance": Decimal("79.50")}, {"time": "record"}),
        (
            INSIDE,
            {"at": TEXT, "customer": CUSTOMER},
            {"time": "at", "envelope": "customer", "key": "any"},
        ),
        (ENVELOPE, CHANGE, {"envelope": "debezium"}),
        (record("Message", payload=ENVELOPE), {"payload": CHANGE}, {"envelope": "debezium"}),
    ],
)
@pytest.mark.parametrize("is_framed", [False, True])
def test_usual_customers_are_read_together(
    schema: Any, value: Any, said: dict[str, Any], is_framed: bool
) -> None:
    """Whatever the envelope, the time, the filter and the key."""
    source = Source(format="avro", **said)
    texts = {7: WriterSchema("AVRO", json.dumps(schema), {})}
    texts[8] = WriterSchema("AVRO", json.dumps(KEY), {})
    decode, opened = EventDecoder(bank(source)), RegistryValues(source, texts.get)
    key = framed(8, as_avro(KEY, {"CustomerId": "C-1"})[5:]) if is_framed else b"C-1"
    many = [as_avro(schema, value)] * MANY, [key] * MANY, lambda _: STAMP
    for schema_id in texts:
        opened.learn(schema_id)

    assert decode.source
    assert None not in opened.at_once(*many, decode.source.layouts)[0]
    for found in decode_framed(decode, opened, *many, lambda _: ()):
        assert_is_the_row(found)


@pytest.mark.parametrize(
    "schema",
    [
        record("C", id="string", x={"type": "array", "items": "string"}),
        record("C", id="string", x={"type": "map", "values": "string"}),
        record("C", id="string", x=["null", "string", "long"]),
        record("C", id="string", x="bytes"),
        record("C", id="string", x=record("X")),
        record("C", id="bytes", x="string"),
        record("C", id="string", x=DECIMAL),
        record("C", x="string"),
        "string",
        {"type": "array", "items": "string"},
    ],
)
def test_a_schema_that_is_left_to_fastavro(schema: Any) -> None:
    """Lists, maps, choices and bytes as fields; no id; no record."""
    known = avro_schema(WriterSchema("AVRO", json.dumps(schema), {}))
    with pytest.raises(UnusualTypeError):
        AvroCutter(*known.bare, OwnLayout("own", ("id",), ((("x",), "x"),)))


DATE = {"type": "int", "logicalType": "date"}
ANY_TYPE: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (
        "string",
        st.sampled_from(["C-1", "42", "79.5", "Spain", "Yes", "1", "2024-03-05", "", 'a"b']),
    ),
    ("long", st.integers(-1, 100) | st.just(STAMP)),
    ("double", st.sampled_from([1.0, 42.0, 79.5, -1.0, float("nan"), float("inf")])),
    ("boolean", st.booleans()),
    (ENUM, st.sampled_from(ENUM["symbols"])),
    (DATE, st.integers(-1_000_000, 30_000)),
    (MILLIS, st.integers(-(10**15), 10**15)),
    (DECIMAL, st.decimals(-100, 100, places=2)),
    ("bytes", st.binary(max_size=3)),
]
USUAL = {**CUSTOMER, "event_ts": TEXT}


@st.composite
def customers(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    """The customer with other types of some fields, and values of them."""
    fields: list[Any] = []
    values = {}
    for field in [*FIELDS, {"name": "event_ts", "type": "string"}]:
        kind, of = field["type"], st.just(USUAL[field["name"]])
        if draw(st.integers(0, 3)) == 0:
            kind, of = draw(st.sampled_from(ANY_TYPE))
            kind = {**ENUM, "name": f"E{len(fields)}"} if kind is ENUM else kind
            if draw(st.booleans()):
                kind, of = ["null", kind], st.none() | of
        fields.append({"name": field["name"], "type": kind})
        values[field["name"]] = of
    schema = {"type": "record", "name": "C", "fields": fields}
    return schema, draw(st.lists(st.fixed_dictionaries(values), min_size=1, max_size=4))


@given(customers(), st.sampled_from([{}, {"time": "record"}, {"time_format": "epoch-millis"}]))
def test_customers_read_together_are_what_each_is_alone(
    made: tuple[Any, list[Any]], said: dict[str, Any]
) -> None:
    """Be they scored or rejected, whatever the types of their fields."""
    schema, values = made
    records = [as_avro(schema, value) for value in values]
    source = Source(format="avro", **said)
    text = WriterSchema("AVRO", json.dumps(schema), {})
    decode, opened = EventDecoder(bank(source)), RegistryValues(source, {7: text}.get)
    opened.learn(7)
    alone = [decode.batch_of([Arrived(one, b"C-1", STAMP, ())], opened)[0] for one in records]
    many = records * MANY, [b"C-1"] * len(records) * MANY, lambda _: STAMP
    assert decode_framed(decode, opened, *many, lambda _: ()) == alone * MANY

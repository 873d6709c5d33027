"""Customers in Avro, Protobuf and JSON Schema, framed as a schema registry's clients do."""

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
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.protobuf_values import protobuf_reader
from churnstream.codecs.registry_events import decode_framed
from churnstream.codecs.registry_framing import IN_HEADERS, WriterSchema, framed, message_place
from churnstream.codecs.registry_values import SCHEMA_IN_HEADERS, RegistryValues
from churnstream.codecs.source_records import Arrived
from churnstream.codecs.source_values import shortest
from churnstream.errors import SchemasUnavailableError
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.event_source import EventSource as Source

ROW = {"CustomerId": "C-1", "Age": 42, "Balance": 79.5, "Country": "Spain", "HasCard": 1}
FIELDS: list[dict[str, Any]] = [
    {"name": "CustomerId", "type": "string"},
    {"name": "Age", "type": "int"},
    {"name": "Balance", "type": ["null", "double"], "default": None},
    {"name": "Country", "type": {"type": "enum", "name": "Land", "symbols": ["France", "Spain"]}},
    {"name": "HasCard", "type": "int"},
    {"name": "Since", "type": {"type": "int", "logicalType": "date"}},
]
SINCE = 19_787
TIME = {"name": "event_ts", "type": {"type": "long", "logicalType": "timestamp-millis"}}
PLAIN = {"type": "record", "name": "Customer", "fields": [*FIELDS, TIME]}
PLAIN_ROW = {**ROW, "Since": SINCE, "event_ts": STAMP}
AVRO = Source(format="avro")
MANY = 50
"""Records: enough to be read together."""
LARGE = 100_000


def as_avro(schema: Any, value: object) -> bytes:
    """A value in Avro."""
    stream = io.BytesIO()
    schemaless_writer(stream, parse_schema(schema), value)
    return stream.getvalue()


def decoded(
    source: Source,
    schemas: dict[int, WriterSchema],
    value: bytes | None,
    key: bytes | None = b"C-1",
) -> Any:
    """What becomes of a record, be it alone or one of many."""
    decode, opened = EventDecoder(bank(source)), RegistryValues(source, schemas.get)
    alone = decode.batch_of([Arrived(value, key, STAMP, ())], opened)[0]
    many = [value] * MANY, [key] * MANY, lambda _: STAMP
    if value and len(value) > LARGE:
        return alone
    for found in decode_framed(decode, opened, *many, lambda _: ()):
        assert found == alone
    return alone


def avro(schema: object, value: object, source: Source = AVRO, key: bytes | None = b"C-1") -> Any:
    """What becomes of a value written in Avro."""
    text = WriterSchema("AVRO", json.dumps(schema), {})
    return decoded(source, {7: text}, framed(7, as_avro(schema, value)), key)


def changed(name: str, kind: object) -> dict[str, Any]:
    """The plain schema with another type of a field."""
    fields = [{"name": f["name"], "type": f["type"]} for f in FIELDS if f["name"] != name]
    fields.append({"name": name, "type": kind})
    return {"type": "record", "name": "Customer", "fields": [*fields, TIME]}


def test_a_customer_in_avro() -> None:
    """Texts, numbers, enumerations, a date and a timestamp mean what they mean in JSON."""
    assert_is_the_row(avro(PLAIN, PLAIN_ROW))


def test_a_schema_that_is_named_in_a_header() -> None:
    """A bare value is read if it is JSON; of Avro it is rejected, and says what is not read."""
    headers = [(IN_HEADERS, b"\1" + bytes(16))]

    def found(source: Source, value: bytes) -> Any:
        arrived = Arrived(value, b"C-1", STAMP, headers)
        decode = EventDecoder(bank(source))
        return decode.batch_of([arrived], RegistryValues(source, lambda _: None))[0]

    row = {**ROW, "Since": "2024-03-05", "event_ts": "2026-01-02T03:04:05Z"}
    assert_is_the_row(found(Source(format="json-schema"), json.dumps(row).encode()))
    assert found(AVRO, as_avro(PLAIN, PLAIN_ROW)) == SCHEMA_IN_HEADERS
    assert "GUID" in SCHEMA_IN_HEADERS.detail


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
CONNECT_DATE = {"type": "int", "connect.name": "io.debezium.time.Date"}


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("Balance", DECIMAL, Decimal("79.50")),
        ("Balance", ["null", DECIMAL], Decimal("79.5")),
        ("Balance", "string", "79.5"),
        ("Balance", "float", 79.5),
        ("Balance", {"type": "float", "connect.default": 17.0}, 79.5),
        ("Age", "long", 42),
        ("Age", "double", 42.0),
        ("HasCard", "boolean", True),
        ("Since", CONNECT_DATE, SINCE),
        ("Since", ["null", MICROS], SINCE * 86_400_000_000),
        ("Since", "string", "2024-03-05"),
        ("Country", "string", "Spain"),
    ],
)
def test_a_field_of_another_avro_type(name: str, kind: object, value: object) -> None:
    """What can be told for certain is read."""
    assert_is_the_row(avro(changed(name, kind), {**PLAIN_ROW, name: value}))


@pytest.mark.parametrize("kind", ["float", ["null", "float"], {"type": "float", "x": 1}])
@pytest.mark.parametrize(
    "more", [[], [{"name": "seen", "type": {"type": "array", "items": "int"}}]]
)
def test_a_number_of_four_bytes_is_what_it_is_as_text(
    kind: object, more: list[dict[str, Any]]
) -> None:
    """79.1 stays 79.1, as a file or JSON would have it, in flat records and in others."""
    schema = changed("Balance", kind)
    schema["fields"] += more
    found = avro(schema, {**PLAIN_ROW, "Balance": 79.1, "seen": [1]})
    assert found.Balance == 79.1


def test_an_id_of_digits_in_avro() -> None:
    """A number names a customer as its text does."""
    found = avro(changed("CustomerId", "long"), {**PLAIN_ROW, "CustomerId": 15}, key=b"15")
    assert bank(None).id_of(found) == "15"


SNAKE = {"type": "record", "name": "Row", "fields": [*FIELDS[:5], FIELDS[5]]}
CHANGE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", SNAKE], "default": None},
        {"name": "after", "type": ["null", "Row"], "default": None},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "Source",
                "fields": [{"name": "ts_ms", "type": "long"}],
            },
        },
        {"name": "op", "type": "string"},
    ],
}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "CustomerId", "type": "string"}]}


def change(op: str, key: bytes | None, source: Source) -> Any:
    """What becomes of a change as Debezium writes it in Avro."""
    row = {**ROW, "Since": SINCE}
    value = {
        "before": row,
        "after": None if op == "d" else row,
        "source": {"ts_ms": STAMP},
        "op": op,
    }
    schemas = {7: CHANGE, 8: KEY}
    texts = {i: WriterSchema("AVRO", json.dumps(one), {}) for i, one in schemas.items()}
    return decoded(source, texts, framed(7, as_avro(CHANGE, value)), key)


@pytest.mark.parametrize(
    ("key", "declared"),
    [
        (framed(8, as_avro(KEY, {"CustomerId": "C-1"})), "CustomerId"),
        (framed(8, as_avro(KEY, {"CustomerId": "C-1"})), "any"),
        (b"C-1", "id"),
        (None, "any"),
    ],
)
def test_a_change_of_debezium_in_avro(key: bytes | None, declared: str) -> None:
    """Its key is Avro, too, or it is not."""
    source = Source(format="avro", envelope="debezium", key=declared)
    assert_is_the_row(change("u", key, source))
    assert change("d", key, source) == PassedOver("deleted")
    assert decoded(source, {}, None, key) == PassedOver("tombstone")


def test_names_and_filters_in_avro() -> None:
    """All that a source may say goes for Avro, too."""
    inner = {"type": "record", "name": "Person", "fields": [{"name": "age", "type": "int"}]}
    fields = [f for f in FIELDS if f["name"] != "Age"]
    fields += [{"name": "person", "type": inner}, {"name": "kind", "type": "string"}, TIME]
    schema = {"type": "record", "name": "Customer", "fields": fields}
    source = Source(format="avro", names={"Age": "person.age"}, only={"kind": "update"})
    value = {**PLAIN_ROW, "person": {"age": 42}, "kind": "update"}

    assert_is_the_row(avro(schema, value, source))
    assert avro(schema, {**value, "kind": "read"}, source) == PassedOver("filtered")
    assert_is_the_row(avro(schema, value, Source(format="avro", names={"Age": "person.age"})))


def test_a_schema_that_refers_to_another() -> None:
    """What it refers to comes along from the registry."""
    land = {"type": "enum", "name": "Land", "symbols": ["France", "Spain"]}
    fields = [{**f, "type": "Land"} if f["name"] == "Country" else f for f in [*FIELDS, TIME]]
    referring = {"type": "record", "name": "Customer", "fields": fields}
    text = WriterSchema("AVRO", json.dumps(referring), {"Land": json.dumps(land)})
    value = framed(7, as_avro(PLAIN, PLAIN_ROW))

    assert_is_the_row(decoded(AVRO, {7: text}, value))


PROTO = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Other { int32 x = 1; }
message Customer {
  enum Land { France = 0; Spain = 1; }
  string CustomerId = 1;
  int64 Age = 2;
  optional double Balance = 3;
  Land Country = 4;
  bool HasCard = 5;
  string Since = 6;
  google.protobuf.Timestamp event_ts = 7;
}
"""
MESSAGE = (
    b"\x0a\x03C-1\x10\x2a\x19\x00\x00\x00\x00\x00\xe0\x53\x40\x20\x01\x28\x01"
    b"\x32\x0a2024-03-05\x3a\x06\x08" + b"\xa5\xeb\xdc\xca\x06"
)
SECOND = b"\x02\x02"
"""The second message of its file: one number, 1, as zigzag varints."""


def proto(payload: bytes, source: Source | None = None) -> Any:
    """What becomes of a Protobuf message."""
    text = WriterSchema("PROTOBUF", PROTO, {})
    return decoded(source or Source(format="protobuf"), {7: text}, framed(7, payload))


def test_a_customer_in_protobuf() -> None:
    """The message may be any of its file; enumerations and timestamps are read."""
    assert_is_the_row(proto(SECOND + MESSAGE))


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\x00" + b"\x08\x01", "event_ts: is missing"),
        (b"\x02\x06" + MESSAGE, "no message 3"),
        (b"\x02\x01" + MESSAGE, "no message -1"),
        (SECOND + MESSAGE[:-3], "value: cannot be read by its schema 7"),
        (b"\xff" * 20, "ends within the place"),
        (b"\xd0\x86\x03", "says no place"),
    ],
)
def test_protobuf_that_is_none(payload: bytes, said: str) -> None:
    """Each is rejected with the reason."""
    found = proto(payload)
    assert isinstance(found, Rejection)
    assert said in str(found)


def test_protobuf_that_holds_itself_a_thousand_times() -> None:
    """The parser has a limit, and says so."""
    text = 'syntax = "proto3"; message A { A a = 1; string CustomerId = 2; }'
    payload = b""
    for _ in range(1000):
        size = len(payload)
        length = b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        payload = b"\x0a" + length + bytes([size]) + payload
    read = protobuf_reader(WriterSchema("PROTOBUF", text, {}))
    with pytest.raises(Exception, match=r".") as failed:
        read(b"\0" + payload)
    assert type(failed.value).__name__ == "Unreadable"


def test_json_with_its_schema_in_a_registry() -> None:
    """No registry is asked: each record says all by itself."""
    value = json.dumps({**ROW, "Since": "2024-03-05", "event_ts": "2026-01-02T03:04:05Z"}).encode()
    source = Source(format="json-schema")
    assert_is_the_row(decoded(source, {}, framed(1, value)))
    assert_is_the_row(decoded(source, {}, framed(1, value), framed(2, b'"C-1"')))


GOOD = as_avro(PLAIN, PLAIN_ROW)
SELF = {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}
ENDLESS = {"type": "array", "items": {"type": "record", "name": "E", "fields": []}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (framed(9, GOOD), "value: is of schema 9, which is not in the registry"),
        (framed(7, GOOD[:-1]), "value: cannot be read by its schema 7: it ends early"),
        (framed(7, GOOD + b"x"), "value: cannot be read by its schema 7: 1 bytes are left"),
        (framed(7, b""), "value: cannot be read by its schema 7: it ends early"),
        (framed(7, b"\xff" * 50), "value: cannot be read by its schema 7"),
        (framed(6, GOOD), "it is PROTOBUF, and `source: format` says avro"),
        (framed(5, GOOD), "it is no Avro schema"),
        (framed(4, b"\2" * 100_000), "has the type N within itself, which is not read"),
        (framed(3, b"\xfe\xff\xff\xff\x7f"), "has a list of nothing, which may be endless"),
        (json.dumps(ROW).encode(), "`source: format: avro` says, with 0 and a schema's id"),
        (b"\0\0\0", "says, with 0 and a schema's id"),
        (b"", "value: is empty"),
        (None, "value: is null (a tombstone)"),
    ],
)
def test_avro_that_is_none(value: bytes | None, said: str) -> None:
    """Each is rejected with the reason, and takes nothing down."""
    texts = {7: PLAIN, 4: SELF, 3: ENDLESS}
    schemas = {i: WriterSchema("AVRO", json.dumps(one), {}) for i, one in texts.items()}
    schemas |= {6: WriterSchema("PROTOBUF", PROTO, {}), 5: WriterSchema("AVRO", "{", {})}
    found = decoded(AVRO, schemas, value)
    assert isinstance(found, Rejection)
    assert said in str(found)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have(number: float) -> None:
    """It is no missing value."""
    found = avro(PLAIN, {**PLAIN_ROW, "Balance": number})
    assert (found.reason, found.field) == ("out_of_range", "Balance")


def test_a_decimal_of_ten_megabytes() -> None:
    """It is rejected at once: to compute it would take minutes."""
    schema = changed(
        "Balance", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    )
    bare = changed("Balance", "bytes")
    value = framed(7, as_avro(bare, {**PLAIN_ROW, "Balance": b"\x01" * 10_000_000}))
    found = decoded(AVRO, {7: WriterSchema("AVRO", json.dumps(schema), {})}, value)
    assert (found.reason, found.field) == ("invalid_value", "Balance")
    assert len(found.detail) < 300


def test_a_schema_is_looked_up_once() -> None:
    """An id that the registry does not have is asked for again only after a while."""
    asked: list[int] = []

    def lookup(schema_id: int) -> WriterSchema | None:
        asked.append(schema_id)
        return WriterSchema("AVRO", json.dumps(PLAIN), {}) if schema_id == 7 else None

    values = RegistryValues(AVRO, lookup)
    for _ in range(3):
        values(Arrived(framed(7, GOOD), b"C-1", STAMP, ()))
        values(Arrived(framed(9, GOOD), b"C-1", STAMP, ()))
    assert asked == [7, 9]


def test_a_registry_that_is_away_makes_no_dead_letters() -> None:
    """Whoever decodes hears of it."""

    def lookup(_: int) -> WriterSchema | None:
        raise SchemasUnavailableError("away")

    values = RegistryValues(AVRO, lookup)
    assert values.unknown([framed(7, b""), None, b"{}"]) == {7}
    with pytest.raises(SchemasUnavailableError):
        values(Arrived(framed(7, GOOD), b"C-1", STAMP, ()))


@given(st.binary(max_size=200), st.sampled_from(["avro", "protobuf", "json-schema"]), st.booleans())
def test_any_bytes_behind_a_frame(payload: bytes, kind: Any, keyed: bool) -> None:
    """They are scored, passed over or rejected; nothing is raised."""
    found = decoded(
        Source(format=kind),
        {7: WriterSchema("AVRO", json.dumps(PLAIN), {}) if kind == "avro" else PROTO_SCHEMA},
        framed(7, payload),
        framed(7, payload) if keyed else b"C-1",
    )
    assert found is not None


PROTO_SCHEMA = WriterSchema("PROTOBUF", PROTO, {})


@given(st.binary(max_size=30))
def test_the_place_of_a_message(payload: bytes) -> None:
    """Any bytes are a place, or none."""
    try:
        place, rest = message_place(payload)
    except ValueError:
        return
    assert place
    assert payload.endswith(rest)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)
CUT: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32).map(shortest),
    "boolean": st.booleans(),
}

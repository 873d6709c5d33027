"""Our own events and predictions in the formats of a schema registry."""

import json
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import TELCO
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.prediction_codec import encode_prediction, prediction_reader
from churnstream.codecs.record_columns import columns_of
from churnstream.codecs.registered_encoders import registered_encoder
from churnstream.codecs.registered_schemas import registered_schema
from churnstream.codecs.registry_events import decode_framed
from churnstream.codecs.registry_framing import WriterSchema
from churnstream.codecs.registry_values import RegistryValues
from churnstream.errors import ConfigurationError
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.event_source import EventSource, Format, registered_name
from churnstream.schema.fields import AnyField, Boolean, Category, Date, Integer, Number
from churnstream.schema.record_types import Event, event_type, prediction_type
from churnstream.schema.schema import Label, Schema
from made_customers import customers
from made_schemas import FLOATS, TEXTS

FORMATS: tuple[Format, ...] = ("avro", "protobuf", "json-schema")
TYPED: tuple[Format, ...] = ("avro", "protobuf")
ID = 258
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))


def values_of(schema: WriterSchema, source: EventSource | None = None) -> RegistryValues:
    """What opens values of one schema."""
    return RegistryValues(source, {ID: schema}.get)


def read_back(schema: Schema, form: Format, events: list[Event]) -> list[Any]:
    """Events that were written and are read by a consumer."""
    source = EventSource(format=form)
    reading = msgspec.structs.replace(schema, source=source)
    encode = registered_encoder("event", schema, form, ID)
    keys = [schema.id_of(event).encode("utf-8", "surrogatepass") for event in events]
    values = values_of(registered_schema("event", schema, form), source)
    decode, records = EventDecoder(reading, closed=False), list(map(encode, events))
    return decode_framed(decode, values, records, keys, lambda _: 0, lambda _: ())


@st.composite
def nameable_customers(draw: st.DrawFn) -> tuple[Schema, list[Event]]:
    """Customers of any schema, of whose names no two become one."""
    schema, events = draw(customers(rows=8))
    try:
        columns_of("event", schema)
    except ConfigurationError:
        return draw(st.just((BANK, [])))
    return schema, events


def assert_come_back(schema: Schema, events: list[Event], form: Format) -> None:
    """Events are read as they were written."""
    many = [*events] * 2
    found = [msgspec.structs.astuple(one) for one in read_back(schema, form, many)]
    assert found == [msgspec.structs.astuple(one) for one in many]


@settings(max_examples=60, deadline=None)
@given(nameable_customers())
def test_events_in_avro_come_back(made: tuple[Schema, list[Event]]) -> None:
    """Of any schema and any names, unless two of these would be one."""
    assert_come_back(*made, "avro")


@settings(max_examples=6, deadline=None)
@given(nameable_customers())
def test_events_in_protobuf_come_back(made: tuple[Schema, list[Event]]) -> None:
    """The same; each schema is compiled in a process of its own."""
    assert_come_back(*made, "protobuf")


BANK = Schema(
    name="7-bank.de",
    id="Kunden Nr.",
    fields={
        "Alter": Integer(min=0),
        "2. Saldo (€)": Number(missing="allow"),
        "Land": Category(missing="allow"),
        "Karte?": Boolean(values=("false", "true")),
        "aktiv": Boolean(values=("0", "1"), missing="allow"),
        "VIP": Boolean(values=("nein", "ja")),
        "seit": Date(missing="allow"),
    },
    label=Label("Weg", "ja"),
)


@pytest.mark.parametrize("form", FORMATS)
def test_every_type_of_field_comes_back(form: Format) -> None:
    """Also where values are missing, and where names are none in the format."""
    kind: Any = event_type(BANK, closed=False)
    names = BANK.attributes
    full = {
        "Kunden Nr.": "ä-1",
        "Alter": 42,
        "2. Saldo (€)": -1e-300,
        "Land": 'a"b',
        "Karte?": True,
        "aktiv": 0,
        "VIP": "ja",
        "seit": date(1969, 12, 31),
    }
    gaps = {"2. Saldo (€)": None, "Land": None, "aktiv": None, "seit": None, "Weg": "nein"}
    now = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    rows = [
        kind(event_ts=now, **{names[name]: value for name, value in row.items()})
        for row in (full, full | gaps) * 4
    ]
    assert_come_back(BANK, rows, form)


@pytest.mark.parametrize("form", TYPED)
def test_names_have_letters_digits_and_underscores(form: Format) -> None:
    """Whatever a schema file calls them."""
    names = [column.name for column in columns_of("event", BANK)]
    assert names[:3] == ["Kunden_Nr_", "Alter", "_2__Saldo____"]
    text = registered_schema("event", BANK, form).text
    assert "churnstream._7_bank_de" in text
    assert all(name in text for name in names)


@given(TEXTS)
def test_a_name_is_one_for_good(name: str) -> None:
    """What was made a name stays as it is."""
    found = registered_name(name)
    assert registered_name(found) == found


def test_two_fields_of_one_name_are_refused() -> None:
    """It says which name that would be."""
    fields: dict[str, AnyField] = {"a b": Number(), "a-b": Number()}
    with pytest.raises(ConfigurationError, match="two fields of the schema x would be aB in Avro"):
        columns_of("event", Schema(name="x", id="id", fields=fields))


def predictions() -> st.SearchStrategy[Any]:
    """Predictions of Telco, with and without reasons."""
    reasons = st.lists(st.builds(ReasonGiven, TEXTS, TEXTS, FLOATS, TEXTS), max_size=3)
    return st.builds(
        prediction_type(TELCO),
        TEXTS.filter(bool),
        st.floats(0, 1),
        st.sampled_from(["Yes", "No"]),
        TIMES,
        TIMES,
        TEXTS,
        st.integers(0, 2**31 - 1),
        st.integers(0, 2**63 - 1),
        st.none() | reasons.filter(bool),
    )


@pytest.mark.parametrize("form", FORMATS)
def test_predictions_come_back(form: Format) -> None:
    """All of a prediction is read as it was written, whatever stands in it."""
    encode = registered_encoder("prediction", TELCO, form, ID)
    values = values_of(registered_schema("prediction", TELCO, form))
    read = prediction_reader(TELCO, values.as_json)

    @given(predictions())
    def check(made: Any) -> None:
        found = read(encode(made))
        assert msgspec.structs.replace(found, reasons=found.reasons or None) == made
        assert read(encode_prediction(made)) == made

    check()


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_no_prediction_is_none(form: Format) -> None:
    """Bytes that are cut, of no schema, or of another one."""
    encode = registered_encoder("prediction", TELCO, form, ID)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    value = encode(prediction_type(TELCO)("C1", 0.5, "No", now, now, "v", 0, 1))
    schemas = {
        ID: registered_schema("prediction", TELCO, form),
        1: WriterSchema("AVRO", '"int"', {}),
    }
    read = prediction_reader(TELCO, RegistryValues(None, schemas.get).as_json)

    assert read(value).churn_probability == 0.5
    for end in range(len(value) - 1 if form != "protobuf" else 5):  # there, less is as good
        assert read(value[:end]) is None
    assert read(b"\0\0\0\0\1\2") is None
    assert read(b"\0\0\0\0\2\2") is None
    assert read(None) is None


def test_times_days_and_decimals_are_shown_as_people_read_them() -> None:
    """Also within other records; what cannot be one stays a number."""
    at = {"type": "long", "logicalType": "timestamp-millis"}
    day = {"type": "int", "logicalType": "date"}
    money = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    inner = {"type": "record", "name": "I", "fields": [{"name": "day", "type": ["null", day]}]}
    fields = [
        {"name": "at", "type": at},
        {"name": "in", "type": inner},
        {"name": "m", "type": money},
    ]
    schema = {"type": "record", "name": "R", "fields": fields}
    values = values_of(WriterSchema("AVRO", json.dumps(schema), {}))
    head = b"\0" + ID.to_bytes(4, "big")

    shown = values.shown(head + zigzag(1_500) + b"\2" + zigzag(1) + b"\4\x1e\xdc")
    assert shown == b'{"at":"1970-01-01T00:00:01.500000Z","in":{"day":"1970-01-02"},"m":"79.00"}'
    far = zigzag(2**62)
    assert values.shown(head + far + b"\0" + b"\4\x1e\xdc") == (
        b'{"at":%d,"in":{"day":null},"m":"79.00"}' % 2**62
    )


def zigzag(number: int) -> bytes:
    """A number of 0 or more in Avro."""
    number, found = number << 1, bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])

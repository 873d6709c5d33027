"""Codecs for whatever a schema may be: events, rows, and what is between a record and either.

The typed decoder is fast and takes most records; the second look is slow and takes more. Where both
take one, they agree: otherwise an event would change with what else is in its batch.
"""

import json
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.event_encoder import decode_rows, encode_events
from churnstream.codecs.json_schema import json_schemas
from churnstream.codecs.lenient_decoder import decode_leniently
from churnstream.records.rejection import Rejection
from churnstream.schema.fields import (
    AnyField,
    Boolean,
    Category,
    Date,
    Integer,
    MissingRule,
    Number,
    written,
)
from churnstream.schema.record_types import event_type
from churnstream.schema.schema import Label, Schema
from churnstream.schema.schema_checks import faults
from churnstream.schema.values import Problem, read

FAST = settings(deadline=None)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAMES = [
    *["Monthly Charges", "class", "a.b", "ä", "it's", "_x", "x:y", "def", "self", "mro", "1st"],
    *["$", "`", "{}", "用户", "🎈", "tenure", "name\u2028", "a,b", "ﬁ", "__init__", " "],
]
LOCATIONS = st.sampled_from(NAMES) | st.text(min_size=1, max_size=8)
TEXTS = st.sampled_from(["a", "b", " a", "A", "yes", "No", "1", "0", "NA", "", "null", "2.0", "é"])
ALLOWED = st.sampled_from(["reject", "allow"])
NUMBERS = st.sampled_from([-1, 0, 1, 2**53 + 1, 2**63 - 1, 1.5, -0.5, 1e300]) | st.integers()
FIELDS: st.SearchStrategy[AnyField] = st.one_of(
    st.builds(Integer, min=st.sampled_from([0, -(2**63)]), missing=ALLOWED),
    st.builds(Number, min=st.sampled_from([0.0, -1e308]), missing=ALLOWED),
    st.builds(Number, missing=st.just(MissingRule(counts_as=0))),
    st.builds(
        Category,
        values=st.none() | st.lists(TEXTS, min_size=1, max_size=4, unique=True).map(tuple),
        unknown=st.sampled_from(["reject", "other"]),
        missing=ALLOWED,
    ),
    st.builds(
        Boolean,
        values=st.sampled_from(
            [("0", "1"), ("false", "true"), ("No", "Yes"), ("1", "2"), ("", "x")]
        ),
        missing=ALLOWED,
    ),
    st.builds(Date, order=st.sampled_from(["year-first", "day-first"]), missing=ALLOWED),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.text(max_size=5),
    NUMBERS.map(str),
    st.dates().map(str),
    st.sampled_from(["31.12.2025", "2025-12-31T10:00:00Z", "$ 7", "true", "OFF", "1e3", "n/a"]),
    st.lists(st.integers(), max_size=1),
)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Schemas without a fault, of names that are none in Python."""
    names = draw(st.lists(LOCATIONS, min_size=3, max_size=6, unique=True))
    the_id, label, *rest = names
    schema = Schema(
        name="x",
        id=the_id,
        fields={name: draw(FIELDS) for name in rest},
        label=draw(st.none() | st.just(Label(label, "Yes"))),
    )
    return schema if not [*faults(schema)] else draw(st.nothing())


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The odd one in one case of ten."""
    return st.integers(0, 9).flatmap(lambda number: odd if number == 9 else usual)


def likely(field: AnyField) -> st.SearchStrategy[Any]:
    """What may stand in a field, mostly what is right."""
    match field:
        case Category(values=values):
            right: st.SearchStrategy[Any] = st.sampled_from(values or ("a", "b"))
        case Boolean():
            right = st.sampled_from(written(field))
        case Date():
            right = st.dates().map(str)
        case _:
            right = st.integers(0, 100)
    return mostly(right, VALUES)


@st.composite
def records(draw: st.DrawFn, schema: Schema) -> tuple[bytes, bytes | None]:
    """Value and key of an event, now and then with a field left out, unknown or twice."""
    members = [(schema.id, draw(mostly(st.sampled_from(["C1", "C2", "ä"]), VALUES)))]
    members += [(name, draw(likely(field))) for name, field in schema.fields.items()]
    members.append(("event_ts", draw(mostly(st.sampled_from(STAMPS), VALUES))))
    if schema.label:
        members.append((schema.label.field, draw(VALUES)))
    if draw(st.integers(0, 9)) == 9:
        del members[draw(st.integers(0, len(members) - 1))]
    if draw(st.integers(0, 9)) == 9:
        members.append(draw(st.sampled_from(members) | st.tuples(LOCATIONS, VALUES)))
    texts = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in members)
    value = ("{" + ", ".join(texts) + "}").encode()
    named = members[0][1]
    return value, str(named).encode() if draw(st.integers(0, 9)) < 9 else None


STAMPS = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00", "2026-01-02T03:04:05.5Z"]


def same(one: Any, other: Any) -> bool:
    """Whether two outcomes are the same, down to the types: 1 is no True, nor 1.0."""
    if isinstance(one, Rejection) or isinstance(other, Rejection):
        return bool(one == other)
    first, second = msgspec.structs.astuple(one), msgspec.structs.astuple(other)
    return first == second and [*map(type, first)] == [*map(type, second)]


# ---- one record ----


@FAST
@given(st.data(), schemas(), st.booleans())
def test_the_second_look_agrees_with_the_first(
    data: st.DataObject, schema: Schema, closed: bool
) -> None:
    """What the typed decoder takes, the slow one takes with an equal result, and none raises."""
    value, key = data.draw(records(schema))
    found = EventDecoder(schema, closed=closed)(value, key)

    slow = decode_leniently(
        value, schema if closed else schema.opened, event_type(schema, closed=closed)
    )

    if not isinstance(found, Rejection):
        assert same(found, slow)
    elif not isinstance(slow, Rejection):
        assert found.field == "key"
    else:
        assert found == slow or found.field == "key"


@FAST
@given(st.data(), schemas())
def test_an_event_holds_what_its_record_means(data: st.DataObject, schema: Schema) -> None:
    """Each field is what `read` makes of it, None where it may be missing and is left out."""
    value, key = data.draw(records(schema))
    event = EventDecoder(schema)(value, key)

    sent = json.loads(value)
    for name, field in schema.fields.items():
        meant = read(field, sent.get(name))
        if not isinstance(event, Rejection):
            assert schema.getter(name)(event) == meant
        elif event.field == name:
            assert isinstance(meant, Problem) or name not in sent
    if not isinstance(event, Rejection):
        assert schema.id_of(event) == str(sent[schema.id])
        assert event.event_ts.tzinfo is UTC


@FAST
@given(st.data(), schemas())
def test_an_event_is_read_from_what_is_written_of_it(data: st.DataObject, schema: Schema) -> None:
    """An event goes to JSON and comes back the same."""
    event = EventDecoder(schema)(*data.draw(records(schema)))

    if not isinstance(event, Rejection):
        key = schema.id_of(event).encode()
        assert same(EventDecoder(schema)(msgspec.json.encode(event), key), event)


@FAST
@given(st.data(), schemas(), st.booleans())
def test_a_repeated_field_is_always_found(
    data: st.DataObject, schema: Schema, escaped: bool
) -> None:
    """Also beside fields that are left out since they may be missing, and with escapes."""
    members: list[tuple[str, Any]] = [(schema.id, "C1"), ("event_ts", STAMPS[0])]
    for name, field in schema.fields.items():
        may_go = field.missing == "allow"
        if not (may_go and data.draw(st.booleans())):
            members.append((name, data.draw(likely(field))))
    twice = data.draw(st.sampled_from(members) | st.just(("extra", 1)))
    members.append(twice)
    members += [twice] * (twice[0] == "extra")
    texts = [f"{json.dumps(name, ensure_ascii=escaped)}:{json.dumps(v)}" for name, v in members]
    value = ("{" + ",".join(data.draw(st.permutations(texts))) + "}").encode()

    for found in (
        EventDecoder(schema)(value, b"C1"),
        *EventDecoder(schema).batch([value], [b"C1"]),
    ):
        assert isinstance(found, Rejection)
        assert found.reason == "duplicate_field"
        assert json.loads(found.field) == twice[0]


# ---- many records ----


@FAST
@given(st.data(), schemas(), st.booleans())
def test_a_batch_is_decoded_as_its_records_are(
    data: st.DataObject, schema: Schema, closed: bool
) -> None:
    """What is looked at together is found as if each were looked at alone."""
    sent = data.draw(st.lists(records(schema), max_size=6))
    decode = EventDecoder(schema, closed=closed)

    found = decode.batch([value for value, _ in sent], [key for _, key in sent])

    assert len(found) == len(sent)
    for outcome, (value, key) in zip(found, sent, strict=True):
        assert same(outcome, decode(value, key))


# ---- rows ----


def cell(value: Any) -> str | None:
    """A value as a file would have it."""
    return None if value is None else value if isinstance(value, str) else json.dumps(value)


@FAST
@given(st.data(), schemas())
def test_a_row_is_the_event_that_it_says(data: st.DataObject, schema: Schema) -> None:
    """Rows become records, and these the events whose fields are what the cells mean."""
    columns = [schema.id, *schema.fields, *([schema.label.field] if schema.label else [])]
    strategies = {name: likely(field).map(cell) for name, field in schema.fields.items()}
    a_row = st.tuples(
        *(strategies.get(name, st.sampled_from(["C1", "", None])) for name in columns)
    )
    rows = data.draw(st.lists(a_row, max_size=4))
    arrays = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(columns))]
    batch = pa.RecordBatch.from_arrays(arrays, names=columns)

    sent = encode_events(batch, schema, NOW)
    events = decode_rows(batch, schema, NOW, EventDecoder(schema))

    assert [json.loads(value)["event_ts"] for value in sent.values] == [
        "2026-01-31T12:00:00.000000Z"
    ] * len(rows)
    for row, event, key in zip(rows, events, sent.keys, strict=True):
        cells = dict(zip(columns, row, strict=True))
        meant = {name: read(field, cells[name]) for name, field in schema.fields.items()}
        assert key == (None if cells[schema.id] is None else cells[schema.id].encode())
        if isinstance(event, Rejection):
            assert not key or any(isinstance(value, Problem) for value in meant.values())
        else:
            assert {name: schema.getter(name)(event) for name in meant} == meant


@pytest.mark.parametrize(
    ("cell", "event_ts"),
    [
        ("2025-03-04", "2025-03-04T00:00:00.000000Z"),
        ("2025-03", "2025-03-01T00:00:00.000000Z"),
        (" 2025-03-04 10:30", "2025-03-04T10:30:00.000000Z"),
        ("2025-03-04T10:30:00+02:00", "2025-03-04T08:30:00.000000Z"),
    ],
)
def test_rows_of_their_own_day(cell: str, event_ts: str) -> None:
    """Where a column says when a row was observed, its event says so, and days count up to it."""
    schema = Schema(name="s", id="id", fields={"since": Date()}, event_time="as_of")
    batch = pa.RecordBatch.from_pydict({"id": ["C1"], "since": ["2025-03-01"], "as_of": [cell]})

    (value,) = encode_events(batch, schema, NOW).values
    (event,) = decode_rows(batch, schema, NOW, EventDecoder(schema))

    assert json.loads(value)["event_ts"] == event_ts
    assert not isinstance(event, Rejection)


@pytest.mark.parametrize("cell", ["", None, "soon", "03/04/2025"])
def test_a_row_of_no_day_is_rejected(cell: str | None) -> None:
    """A row that does not say when it was observed is not taken for one of today."""
    schema = Schema(name="s", id="id", fields={"since": Date()}, event_time="as_of")
    batch = pa.RecordBatch.from_pydict(
        {"id": ["C1"], "since": ["2025-03-01"], "as_of": pa.array([cell], pa.string())}
    )

    (row,) = decode_rows(batch, schema, NOW, EventDecoder(schema))

    assert isinstance(row, Rejection)
    assert "event_ts" in str(row)


# ---- names ----


@pytest.mark.parametrize("name", [*NAMES, "event", "CustomerEvent"])
def test_a_field_may_be_called_anything(name: str) -> None:
    """Names that are none in Python go in and out of JSON as they are, and into its schema."""
    schema = Schema(name="x", id="id", fields={name: Integer()}, label=Label("left", "1"))
    text = json.dumps({"id": "C1", name: 7, "event_ts": STAMPS[0], "left": 1}, ensure_ascii=False)
    decode = EventDecoder(schema)

    event = decode(text.encode(), b"C1")

    assert schema.getter(name)(event) == 7
    assert decode.batch([text.encode()], [b"C1"]) == [event]
    assert json.loads(msgspec.json.encode(event)) == json.loads(text)
    assert name in json_schemas(schema)["CustomerEvent"]["$defs"]["CustomerEvent"]["properties"]
    assert decode(text.replace("7", '"x"').encode(), b"C1") == Rejection(
        "invalid_value", name, 'expected a whole number, got "x"'
    )


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "line\nbreak", "", "prediction"])
@pytest.mark.parametrize("place", ["id", "field", "label"])
def test_a_name_that_no_event_can_have_is_a_fault_of_the_schema(name: str, place: str) -> None:
    """It is said before anything is read, wherever it stands."""
    schema = Schema(
        name="x",
        id=name if place == "id" else "id",
        fields={name if place == "field" else "a": Integer()},
        label=Label(name if place == "label" else "left", "1"),
    )

    assert any("rename the column" in problem for _, problem in faults(schema))


# ---- types, one by one ----

FLAGS = {"number": ("0", "1"), "literal": ("false", "true"), "text": ("No", "Yes")}


@pytest.mark.parametrize("kind", FLAGS)
@pytest.mark.parametrize(
    ("no", "yes"),
    [
        (False, True),
        (0, 1),
        (0.0, 1.0),
        ("0", "1"),
        ("false", "true"),
        ("No", "Yes"),
        ("n", " Y "),
        ("F", "T"),
        ("off", "ON"),
    ],
)
def test_a_flag_is_what_the_schema_writes(kind: str, no: Any, yes: Any) -> None:
    """Every spelling of yes and of no, in every form of a flag, alone and in a batch."""
    field = Boolean(values=FLAGS[kind])
    decode: Any = EventDecoder(Schema(name="x", id="id", fields={"flag": field}))
    for raw, expected in zip((no, yes), written(field), strict=True):
        value = json.dumps({"id": "C1", "flag": raw, "event_ts": STAMPS[0]}).encode()
        for event in (decode(value, b"C1"), *decode.batch([value, value], [b"C1", b"C1"])):
            assert (event.flag, type(event.flag)) == (expected, type(expected))


def event_with(field: AnyField, member: str) -> Any:
    """The event in a record with `member` beside the rest."""
    decode = EventDecoder(Schema(name="x", id="id", fields={"a": field, "b": Integer()}))
    parts = ['"id": "C1"', '"b": 1', f'"event_ts": "{STAMPS[0]}"', *([member] if member else [])]
    value = ("{" + ", ".join(parts) + "}").encode()
    alone = decode(value, b"C1")
    assert decode.batch([value] * 3, [b"C1"] * 3) == [alone] * 3
    return alone


MAY_MISS: list[AnyField] = [
    Integer(missing="allow"),
    Number(missing="allow"),
    Category(missing="allow"),
    Category(values=("a", "b"), missing="allow"),
    Boolean(missing="allow"),
    Date(missing="allow"),
]


@pytest.mark.parametrize("field", MAY_MISS, ids=lambda field: type(field).__name__)
@pytest.mark.parametrize("member", ["", '"a": null', '"a": ""', '"a": " NA "', '"a": "n/a"'])
def test_what_may_be_missing_is_none(field: AnyField, member: str) -> None:
    """Left out, null, or a text that says that nothing is known."""
    assert event_with(field, member).a is None
    strict = msgspec.structs.replace(field, missing="reject")
    assert isinstance(event_with(strict, member), Rejection)


def test_a_missing_number_that_counts_as_another_must_be_there_as_null() -> None:
    """A rule says what null means; a field that is not there is a fault of the sender."""
    field = Number(missing=MissingRule(counts_as=0))

    assert event_with(field, '"a": null').a is None
    assert event_with(field, '"a": "NA"').a is None
    assert event_with(field, "") == Rejection("missing_field", "a", "is missing")


def test_where_a_number_may_be_missing_is_read_in_any_spelling() -> None:
    """The rule looks at what the other field means, not at how it is written."""
    rule = MissingRule(counts_as=0, only_where={"b": "1"})
    for spelling in ("1", "1.0", '"1"', '" 1.0 "'):
        fields: dict[str, AnyField] = {"a": Number(missing=rule), "b": Integer()}
        decode: Any = EventDecoder(Schema(name="x", id="id", fields=fields))
        text = f'{{"id": "C1", "a": null, "b": {spelling}, "event_ts": "{STAMPS[0]}"}}'
        assert decode(text.encode(), b"C1").a is None
        other = decode(text.replace("1", "2").encode(), b"C2")
        assert other == Rejection("invalid_value", "a", "is blank, which only fits b 1, not 2")


@pytest.mark.parametrize(
    ("order", "text", "day"),
    [
        ("year-first", "2025-12-31", date(2025, 12, 31)),
        ("year-first", "2025/1/2", date(2025, 1, 2)),
        ("year-first", "2025-12-31T23:59:59Z", date(2025, 12, 31)),
        ("day-first", "31.12.2025", date(2025, 12, 31)),
        ("month-first", "12/31/2025", date(2025, 12, 31)),
    ],
)
def test_a_date_is_a_day(order: Any, text: str, day: date) -> None:
    """In the order that the schema says, or with the year first."""
    assert event_with(Date(order=order), f'"a": "{text}"').a == day


@pytest.mark.parametrize("text", ["soon", "2025-02-30", "31.12.2025", "12/31/2025"])
def test_what_is_no_date_is_rejected(text: str) -> None:
    """A day that there is not, and one that may be another; how to read that is said."""
    advice = "; order: day-first or month-first in the schema says which of them it is"
    hint = advice if text[2] in "./" else ""
    assert event_with(Date(), f'"a": "{text}"') == Rejection(
        "invalid_value", "a", f'expected a date such as 2026-12-31, got "{text}"{hint}'
    )


@pytest.mark.parametrize(
    ("field", "raw", "found"),
    [
        (Category(values=("1", "2")), 1, "1"),
        (Category(values=("1", "2")), 2.0, "2"),
        (Category(values=("1", "2")), 3, "unknown_category"),
        (Category(values=("a", "b")), 3, "wrong_type"),
        (Category(values=("No", "Yes", "No phone")), True, "Yes"),
        (Category(values=("a", "b"), unknown="other"), "c", "c"),
        (Category(values=("a", "b"), unknown="other"), " b ", "b"),
        (Category(unknown="other"), 90210, "90210"),
        (Category(), "", "invalid_value"),
        (Category(values=("a", "")), "", ""),
        (Category(values=("a",)), "", "unknown_category"),
        (Category(values=("a", "NA"), missing="allow"), "NA", "NA"),
    ],
)
def test_a_category_in_other_words(field: AnyField, raw: Any, found: str) -> None:
    """A number is its digits, a known value counts in every spelling, and others as they stand."""
    event = event_with(field, f'"a": {json.dumps(raw)}')

    assert (event.reason if isinstance(event, Rejection) else event.a) == found


@FAST
@given(st.text())
@example(" a ")
@example("NA")
def test_any_text_of_an_open_category_means_the_same_alone_and_in_a_batch(text: str) -> None:
    """Though each text is looked at once, and most of them come again."""
    field = Category(values=("a", "b"), unknown="other")
    found = event_with(field, f'"a": {json.dumps(text)}')

    meant = read(field, text)
    if isinstance(meant, Problem):
        assert (found.reason, found.field) == (meant.reason, "a")
    elif not isinstance(found, Rejection):
        assert found.a == meant

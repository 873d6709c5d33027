import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DATASET_COLUMNS, TELCO, CustomerEvent, customer, decode_event
from churnstream.codecs.event_encoder import EncodedEvents, decode_rows, encode_events
from churnstream.records.rejection import Rejection
from churnstream.schema.fields import AnyField, Number, known_values
from churnstream.schema.values import Problem, read

COLUMNS = (*DATASET_COLUMNS, "Churn")
NUMERIC = {"SeniorCitizen": int, "tenure": int, "MonthlyCharges": float, "TotalCharges": float}
NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)

Row = dict[str, str | None]


def row(**changes: str | None) -> Row:
    """A valid row of the data set, as the text that a file holds."""
    event = customer(Churn="No")
    return {name: str(event[name]) for name in COLUMNS} | changes


def batch(*rows: Row, columns: tuple[str, ...] = COLUMNS) -> pa.RecordBatch:
    """Rows as a dataset yields them."""
    schema = pa.schema([(name, pa.string()) for name in columns])
    return pa.RecordBatch.from_pylist(list(rows), schema)


def encode(**changes: str | None) -> dict[str, Any]:
    """The event that stands for a valid row with `changes` made to it."""
    (value,) = encode_events(batch(row(**changes)), TELCO, NOW).values
    event: dict[str, Any] = json.loads(value)
    return event


ANY_TEXT = st.none() | st.text() | st.floats().map(str) | st.integers().map(lambda n: f" {n}\t")
ANY_ROW = st.dictionaries(st.sampled_from(COLUMNS), ANY_TEXT, max_size=6).map(
    lambda changes: row(**changes)
)
CATEGORIES = {
    name: st.sampled_from([str(value) for value in known_values(TELCO.fields[name])])
    for name in TELCO.categorical
}
VALID_ROW = st.fixed_dictionaries(
    {
        "customerID": st.text(min_size=1),
        **CATEGORIES,
        "tenure": st.integers(1, 2**63 - 1).map(str),
        "MonthlyCharges": st.floats(0, allow_infinity=False).map(repr),
        "TotalCharges": st.floats(0, allow_infinity=False).map(repr),
        "Churn": st.sampled_from(["Yes", "No"]),
    }
)


def meaning(name: str, text: str | None) -> Any:
    """What an event must hold for a cell: what the text means, or else the text itself."""
    field = TELCO.fields.get(name)
    if field is None:
        return None if name == "Churn" and not (text or "").strip() else text
    value = read(field, text)
    if not isinstance(value, Problem):
        return value
    out_of_bounds = value.reason == "out_of_range" and is_written_so(field, text or "")
    return json.loads(text or "") if out_of_bounds else text


def is_written_so(field: AnyField, text: str) -> bool:
    """Whether JSON takes a text for a number of the field's type as it stands."""
    try:
        number = json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        return False
    whole = type(number) is int and len(text.strip().lstrip("-")) <= 18
    return whole or (isinstance(field, Number) and type(number) in (int, float))


@settings(deadline=None)
@given(st.lists(ANY_ROW, min_size=1, max_size=5))
def test_any_text_survives(rows: list[Row]) -> None:
    """Whatever text stands in whatever column, the event is JSON that holds what it means."""
    encoded = encode_events(batch(*rows), TELCO, NOW)

    assert encoded.keys == [
        None if (key := r["customerID"]) is None else key.encode() for r in rows
    ]
    for cells, value in zip(rows, encoded.values, strict=True):
        expected = {name: meaning(name, text) for name, text in cells.items()}
        if expected["Churn"] is None:  # a label that nobody knows yet is left out
            del expected["Churn"]
        assert json.loads(value) == expected | {"event_ts": "2026-01-02T03:04:05.000678Z"}


@settings(deadline=None)
@given(st.lists(VALID_ROW, min_size=1, max_size=5))
def test_valid_rows_decode_to_what_they_say(rows: list[Row]) -> None:
    """A valid row comes out of `decode_event` as the customer that stands in the file."""
    for cells, event in zip(rows, decode_rows(batch(*rows), TELCO, NOW, decode_event), strict=True):
        expected: dict[str, Any] = {**cells, "event_ts": NOW}
        for name, kind in NUMERIC.items():
            expected[name] = kind(expected[name])
        assert event == CustomerEvent(**expected)


@settings(deadline=None)
@given(st.lists(ANY_ROW, min_size=1, max_size=4), st.data())
def test_boundaries_of_batches_are_irrelevant(rows: list[Row], data: st.DataObject) -> None:
    """Rows encode the same together, in parts and one by one."""
    whole = batch(*rows)
    cut = data.draw(st.integers(0, len(rows)))
    parts = [encode_events(p, TELCO, NOW) for p in (whole.slice(0, cut), whole.slice(cut))]
    singles = [encode_events(batch(cells), TELCO, NOW) for cells in rows]

    assert joined(parts) == joined(singles) == encode_events(whole, TELCO, NOW)


def joined(parts: list[EncodedEvents]) -> EncodedEvents:
    """The events of all parts."""
    return EncodedEvents(
        keys=[key for part in parts for key in part.keys],
        values=[value for part in parts for value in part.values],
    )


def test_fields_come_in_the_order_of_the_record() -> None:
    """An event has the record's fields in the record's order."""
    assert tuple(encode()) == CustomerEvent.__struct_fields__


def test_a_batch_without_labels_gives_events_without_labels() -> None:
    """Where the file has no Churn column, the events have no Churn field."""
    cells = row()
    del cells["Churn"]
    (value,) = encode_events(batch(cells, columns=DATASET_COLUMNS), TELCO, NOW).values

    assert tuple(json.loads(value)) == (*DATASET_COLUMNS, "event_ts")


def test_no_rows_give_no_events() -> None:
    """An empty batch encodes to nothing."""
    assert encode_events(batch(), TELCO, NOW) == EncodedEvents(keys=[], values=[])


@pytest.mark.parametrize("text", ["0", "-0", "12", "70.10", "1e3", "1.5E-7", "-3", "1e999"])
def test_numbers_are_written_as_they_stand(text: str) -> None:
    """What JSON takes for a number goes out raw, digit for digit, good or bad."""
    (value,) = encode_events(batch(row(MonthlyCharges=f" {text}\t")), TELCO, NOW).values

    assert f',"MonthlyCharges":{text},'.encode() in value


@pytest.mark.parametrize(
    ("text", "number"),
    [("007", 7), ("+1", 1), (".5", 0.5), ("5.", 5), ("$29.85", 29.85), ("29.85 €", 29.85)],
)
def test_other_spellings_of_a_number_become_the_number(text: str, number: float) -> None:
    """What JSON takes for no number but is one goes out as JSON writes it."""
    assert encode(MonthlyCharges=text)["MonthlyCharges"] == number


@pytest.mark.parametrize(
    "text", ["", " ", "1,5", "1_000", "0x10", "nan", "inf", "٣", "1 2", "1\n2", "n/a"]
)
def test_what_is_no_number_stays_text(text: str) -> None:
    """A numeric column's text that is no number goes out as that text, for others to judge."""
    assert encode(MonthlyCharges=text)["MonthlyCharges"] == text


@pytest.mark.parametrize(
    ("text", "flag"), [("1", "Yes"), ("true", "Yes"), ("YES", "Yes"), ("0.0", "No"), ("f", "No")]
)
def test_a_flag_is_written_as_the_schema_writes_it(text: str, flag: str) -> None:
    """However the file writes yes and no, events say it in one way."""
    event = encode(Partner=text, SeniorCitizen=text)

    assert (event["Partner"], event["SeniorCitizen"]) == (flag, int(flag == "Yes"))


@pytest.mark.parametrize("text", ["", " ", "\t \u00a0", "NA", "null", "NaN"])
def test_a_blank_total_is_null(text: str) -> None:
    """A blank TotalCharges means that nothing was charged yet, which JSON calls null."""
    assert encode(TotalCharges=text)["TotalCharges"] is None


def test_the_literal_null_is_text_where_nothing_may_be_missing() -> None:
    """The word null in a column of names is a word."""
    event = encode(gender="null", customerID="null")

    assert [event[name] for name in ("gender", "customerID")] == ["null"] * 2


def test_event_ts_is_utc_whatever_the_zone() -> None:
    """A moment in another zone is written as UTC with Z and microseconds."""
    noon_in_india = datetime(2026, 1, 2, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    (value,) = encode_events(batch(row()), TELCO, noon_in_india).values

    assert json.loads(value)["event_ts"] == "2026-01-02T06:30:00.000000Z"


def test_a_row_without_an_id_is_rejected_downstream() -> None:
    """A null customerID has no key and null in the event, and decoding names the field."""
    cells = row(customerID=None)

    assert encode_events(batch(cells), TELCO, NOW).keys == [None]
    (rejection,) = decode_rows(batch(cells), TELCO, NOW, decode_event)
    assert isinstance(rejection, Rejection)
    assert rejection.field == "customerID"


def test_rows_decode_as_their_events_do() -> None:
    """`decode_rows` says of each row, good or bad, what a consumer would say of its event."""
    rows = batch(row(), row(tenure="-1"), row(MonthlyCharges="a lot"), row(TotalCharges=" "))
    keys, values = encode_events(rows, TELCO, NOW)
    decoded = decode_rows(rows, TELCO, NOW, decode_event)

    assert decoded == [decode_event(value, key) for key, value in zip(keys, values, strict=True)]
    assert [type(item) for item in decoded] == [CustomerEvent, Rejection, Rejection, Rejection]

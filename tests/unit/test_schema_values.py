"""What values mean, by the type of their field."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given

from churnstream.escaping import quote
from churnstream.schema.fields import AnyField, Boolean, Category, Date, Integer, Number
from churnstream.schema.record_types import event_type
from churnstream.schema.schema import Schema
from churnstream.schema.values import Problem, as_number, plain, read, shown
from made_schemas import fields, raw_values

ROOT = Path(__file__).parents[2]


def test_a_date_in_another_order() -> None:
    """What was declared is named: the other rows may be read wrongly without an error."""
    found = read(Date(order="month-first"), "25/04/24")

    assert isinstance(found, Problem)
    assert found.detail.endswith('got "25/04/24"; the schema says that dates are month-first')


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        (Integer(), "1", 1),
        (Integer(), "1.0", 1),
        (Integer(), 1.0, 1),
        (Integer(), " +7 ", 7),
        (Integer(), "1e3", 1000),
        (Number(), "$29.85", 29.85),
        (Number(), "-€ 3", -3.0),
        (Number(), ".5", 0.5),
        (Number(), "USD 1003.00", 1003.0),
        (Number(), "12 CHF", 12.0),
        (Number(missing="allow"), " k.A.", None),
        (Number(), "-", Problem),
        (Category(values=("None", "Gold")), "None", "None"),
        (Category(values=("F", "M")), False, Problem),
        (Category(values=("F", "M")), "no", Problem),
        (Boolean(), "Yes", 1),
        (Boolean(), True, 1),
        (Boolean(), "0.0", 0),
        (Boolean(values=("No", "Yes")), 1, "Yes"),
        (Boolean(values=("false", "true")), "F", False),
        (Boolean(values=("yes", "no")), "no", "no"),
        (Boolean(values=("Nein", "Ja")), "vielleicht", Problem),
        (Boolean(values=("Nein", "Ja")), "JA", "Ja"),
        (Boolean(values=("false", "true")), "WAHR", True),
        (Boolean(), "j", 1),
        (Boolean(values=("", "x")), "", ""),
        (Category(), "a ", "a "),
        (Category(values=("Gold", "3")), " Gold ", "Gold"),
        (Category(values=("Gold", "3")), 3.0, "3"),
        (Category(values=("No", "Yes", "No phone")), False, "No"),
        (Category(values=("NA", "EU")), "NA", "NA"),
        (Category(values=("a",), unknown="other"), "b", "b"),
        (Date(), "2026-01-31T10:00:00Z", date(2026, 1, 31)),
        (Date(order="day-first"), "31.12.2025", date(2025, 12, 31)),
        (Date(order="month-first"), "12/31/2025", date(2025, 12, 31)),
        (Date(order="day-first"), "31.12.25", date(2025, 12, 31)),
        (Date(), "31-DEC-99", date(1999, 12, 31)),
        (Date(), "March 3, 2026", date(2026, 3, 3)),
        (Date(), "3. März 2026", date(2026, 3, 3)),
        (Date(), "3 Foo 2026", Problem),
        (Date(), "2026-02", date(2026, 2, 1)),
        (Date(), "2026-13", Problem),
        (Date(), datetime(2026, 1, 31, tzinfo=UTC), date(2026, 1, 31)),
    ],
)
def test_values(field: AnyField, raw: object, value: object) -> None:
    """A value means the same in every spelling."""
    found = read(field, raw)
    if value is Problem:
        assert isinstance(found, Problem)
    else:
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("field", "raw", "reason"),
    [
        (Integer(), "1.5", "wrong_type"),
        (Integer(), "1_0", "invalid_value"),
        (Integer(min=0), "-1", "out_of_range"),
        (Number(), "inf", "invalid_value"),
        (Number(), "1e999", "out_of_range"),
        (Number(), True, "wrong_type"),
        (Integer(), "1e999", "out_of_range"),
        (Boolean(), "maybe", "wrong_type"),
        (Boolean(), 2, "unknown_category"),
        (Boolean(values=("No", "Yes")), "maybe", "unknown_category"),
        (Boolean(values=("No", "Yes")), 2, "wrong_type"),
        (Category(values=("a", "b")), "c", "unknown_category"),
        (Category(values=("a", "b")), 3, "wrong_type"),
        (Category(values=("a", "3")), 4, "unknown_category"),
        (Category(values=("a", "b")), "", "unknown_category"),
        (Category(), "", "invalid_value"),
        (Category(), [1], "wrong_type"),
        (Date(), "31.12.2025", "invalid_value"),
        (Date(order="day-first"), "12/31/2025", "invalid_value"),
        (Number(), None, "wrong_type"),
        (Number(), " n/a ", "invalid_value"),
        (Category(), float("nan"), "wrong_type"),
    ],
)
def test_problems(field: AnyField, raw: object, reason: str) -> None:
    """What cannot be read is a problem with a code and words in one line."""
    found = read(field, raw)
    assert isinstance(found, Problem)
    assert found.reason == reason
    assert "\n" not in found.detail


def test_missing() -> None:
    """A missing value is None where it may be, in whatever way it is said."""
    for raw in (None, "", " ", "NA", "n/a", "NaN", "null", "?", float("nan")):
        assert read(Number(missing="allow"), raw) is None


@given(fields(), raw_values())
def test_reading_is_idempotent(field: AnyField, raw: Any) -> None:
    """What has been read means the same when it is read again, and nothing raises."""
    value = read(field, raw)
    if not isinstance(value, Problem):
        again = read(field, value)
        assert (again, type(again)) == (value, type(value))


@given(raw_values())
def test_shown_in_one_line(raw: Any) -> None:
    """Whatever comes from outside is shown in one short line of plain characters."""
    text = shown(raw)
    assert len(text) < 400
    assert "\n" not in text
    assert plain(raw) is None or isinstance(plain(raw), str)


def test_quoting() -> None:
    """A long text is cut, and what is not ASCII is escaped."""
    assert quote("é") == '"\\u00e9"'
    assert quote("x" * 50).endswith('..."')


def test_numbers() -> None:
    """Only what is written as a number is one."""
    assert as_number("5") == 5
    assert isinstance(as_number("5"), int)
    raw: object
    for raw in ("nan", "0x10", "1,5", "", "\u0663", []):
        assert as_number(raw) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_huge_numbers(sign: int) -> None:
    """A number with more digits than Python writes out is out of range, and no exception."""
    huge = sign * 10**5000
    for field in (Integer(), Number()):
        found = read(field, huge)
        assert isinstance(found, Problem)
        assert found.reason == "out_of_range"
    assert isinstance(read(Category(values=("a",)), huge), Problem)


@pytest.mark.parametrize("kind", get_args(AnyField))
def test_a_type_is_read_seen_and_described(kind: type[AnyField]) -> None:
    """Whoever adds a type learns here what else must know of it."""
    schema = Schema(name="x", id="id", fields={"a": kind()})

    assert isinstance(read(kind(), None), Problem)
    assert isinstance(read(kind(), []), Problem)
    assert "a" in (*schema.numeric, *schema.categorical)
    (field,) = (f for f in msgspec.structs.fields(event_type(schema)) if f.name == "a")
    assert field.type is not type(None)
    row = f"| `{kind.__struct_config__.tag}` |"
    assert row in (ROOT / "docs" / "schema.md").read_text(encoding="utf-8")

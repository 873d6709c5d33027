import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnstream.files.file_form import FileForm
from churnstream.files.number_marks import marks_in_words, number_marks
from churnstream.files.plain_numbers import plain_numbers

POINT, COMMA = FileForm(decimal=".", thousands=","), FileForm(decimal=",", thousands=".")
SPACE = FileForm(decimal=",", thousands=" ")


@pytest.mark.parametrize(
    ("text", "form", "plain"),
    [
        ("1.234,50", COMMA, "1234.50"),
        ("1,234.50", POINT, "1234.50"),
        ("-1.234.567", COMMA, "-1234567"),
        ("1,234,567", POINT, "1234567"),
        ("$29.85", POINT, "29.85"),
        ("29,85 €", COMMA, "29.85"),
        ("EUR 29,85", COMMA, "29.85"),
        ("-$29.85", POINT, "-29.85"),
        ("$-29.85", POINT, "-29.85"),
        ("R$ 1.234,5", COMMA, "1234.5"),
        (" 12 ", POINT, "12"),
        ("+5", POINT, "5"),
        ("\u22125", POINT, "-5"),
        ("1 234,5", SPACE, "1234.5"),
        ("1\u00a0234\u202f567", SPACE, "1234567"),
        ("1'234.50", FileForm(decimal=".", thousands="'"), "1234.50"),
        ("12%", POINT, "12e-2"),
        ("-6,9 %", COMMA, "-6.9e-2"),
        ("1e2%", POINT, "1e2%"),
        ("(12)", POINT, "-12"),
        ("(1.234,5)", COMMA, "-1234.5"),
        ("($12)", POINT, "-12"),
        (".5", POINT, "0.5"),
        ("-,5", COMMA, "-0.5"),
        ("1,5e-3", COMMA, "1.5e-3"),
        ("1.5e3", POINT, "1.5e3"),
        ("007", POINT, "007"),
    ],
)
def test_numbers_become_plain(text: str, form: FileForm, plain: str) -> None:
    """A number in the file's dialect becomes the plain number."""
    assert plain_numbers(pa.array([text, "7"]), form).to_pylist() == [plain, "7"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("29.85", COMMA),
        ("29,85", POINT),
        ("1,23,4", POINT),
        ("1.2.3", COMMA),
        ("31.12.2024", COMMA),
        ("12-13", POINT),
        ("1 2", SPACE),
        ("1 234", POINT),
        ("(-12)", POINT),
        ("(x)", POINT),
        ("--5", POINT),
        ("", POINT),
        (" ", POINT),
        ("NA", POINT),
        ("ABC 12", POINT),
        ("$", POINT),
        ("1,5 Stück", COMMA),
    ],
)
def test_what_is_no_number_stays(text: str, form: FileForm) -> None:
    """A text that is no number in this dialect is left as it is, and so is a missing one."""
    column = pa.array([text, None, "1"])

    assert plain_numbers(column, form).equals(column)


def test_plain_columns_are_left_alone() -> None:
    """A column of plain numbers is the very same afterwards."""
    column = pa.array(["1", "-2.5", "1e5", None])

    assert plain_numbers(column, POINT) is column
    assert plain_numbers(pa.array([], pa.string()), COMMA).to_pylist() == []


@given(
    st.decimals(-(10**9), 10**9, places=2, allow_nan=False),
    st.sampled_from([POINT, COMMA, SPACE, FileForm(decimal=".", thousands="'")]),
    st.sampled_from(["{}", "{} €", "${}", " {} ", "{}%", "+{}"]),
)
def test_any_number_comes_back(number: object, form: FileForm, unit: str) -> None:
    """Whatever is written in a dialect is the same number afterwards."""
    text = f"{number:,.2f}".replace(",", "T").replace(".", form.decimal or "")
    text = unit.format(text.replace("T", form.thousands or "")).replace("+-", "-")

    (plain,) = plain_numbers(pa.array([text]), form).to_pylist()

    assert plain == f"{number:.2f}" + "e-2" * ("%" in unit)


@pytest.mark.parametrize(
    ("columns", "decimal", "thousands"),
    [
        ({"a": ["1", "29,85"]}, ",", ""),
        ({"a": ["1", "29.85"]}, ".", ""),
        ({"a": ["1.234,50"]}, ",", "."),
        ({"a": ["1,234.50 $"]}, ".", ","),
        ({"a": ["1.234.567"]}, ",", "."),
        ({"a": ["29,85"], "b": ["1.234"]}, ",", "."),
        ({"a": ["29.85"], "b": ["1,234"]}, ".", ","),
        ({"a": ["1 234,50"]}, ",", " "),
        ({"a": ["1'234.50"]}, ".", "'"),
        ({"a": ["0,123", "1,234"]}, ",", ""),
        ({"a": ["1", None, "x"]}, ".", ""),
        ({"a": ["a, b", "c"], "b": ["31.12.2024"], "c": ["33.1, -117.2"]}, ".", ""),
    ],
)
def test_marks_are_found(
    columns: dict[str, list[str | None]], decimal: str, thousands: str
) -> None:
    """Decimal sign and mark of thousands are told by numbers that can be read in one way only."""
    form, notes = number_marks(columns, FileForm())

    assert (form.decimal, form.thousands, notes) == (decimal, thousands, [])


@pytest.mark.parametrize(("likely", "thousands"), [(".", ","), (",", "")])
def test_what_may_be_either_is_said(likely: str, thousands: str) -> None:
    """Where no number tells, the choice is said with how to declare the other."""
    form, notes = number_marks({"a": ["1,234", "5"]}, FileForm(), likely)

    assert (form.decimal, form.thousands) == (likely, thousands)
    assert notes == [
        "the numbers of 'a' tell no decimal sign from a mark of thousands; "
        f"{likely!r} is taken for the decimal sign; declare it if it is the other"
    ]


def test_what_contradicts_is_said() -> None:
    """Where columns do not agree, most of them count, and it is said."""
    form, notes = number_marks({"a": ["1,5"], "b": ["1.5"], "c": ["2,5"]}, FileForm())

    assert form.decimal == ","
    assert notes[0].startswith("numbers have decimal commas in 'a' and points in 'b'; ','")


def test_marks_that_are_declared() -> None:
    """What is declared is neither detected nor doubted."""
    declared = FileForm(decimal=",", thousands="")

    assert number_marks({"a": ["1.5", "1,234"]}, declared) == (declared, [])
    assert marks_in_words(SPACE) == ["decimal comma", "thousands set apart by blanks"]

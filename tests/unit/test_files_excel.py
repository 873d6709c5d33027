import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from churnstream.errors import DataError
from churnstream.files import workbook_size
from churnstream.files.file_form import FileForm
from churnstream.files.open_file import open_file

Cells = list[list[Any]]
TABLE: Cells = [["id", "n"], *([f"C{n}", n] for n in range(30))]


def workbook(path: Path, at: tuple[int, int] = (0, 0), **sheets: Cells) -> Path:
    """A workbook with some sheets, their cells from a place on."""
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for y, row in enumerate(rows):
                for x, cell in enumerate(row):
                    sheet.write(y + at[0], x + at[1], cell)
    return path


def rows(path: Path, form: FileForm | None = None) -> Cells:
    """All rows."""
    file = open_file(path, form or FileForm())
    return [list(row.values()) for batch in file.batches(7) for row in batch.to_pylist()]


def complaint(path: Path, form: FileForm | None = None) -> str:
    """The error that opening the file ends in, its folder left out."""
    with pytest.raises(DataError) as caught:
        open_file(path, form or FileForm())
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_cells_become_text(tmp_path: Path) -> None:
    """Numbers, dates, times and flags become the text that people would write."""
    timestamp, span = dt.datetime(2024, 1, 31, 12, 30), dt.timedelta(hours=26)
    cells = [
        "007",
        1.0,
        29.85,
        12345678901234,
        True,
        dt.datetime(2024, 1, 31),
        timestamp,
        " ",
        None,
    ]
    path = workbook(tmp_path / "c.xlsx", A=[list("abcdefghi"), cells, [*cells[:-1], "x"]])

    assert rows(path)[0] == [
        *("007", "1", "29.85", "12345678901234", "true", "2024-01-31", "2024-01-31T12:30:00"),
        *(" ", None),
    ]
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["a", "b"])
        sheet.write_datetime(1, 0, span, book.add_format({"num_format": "[h]:mm:ss"}))
        sheet.write_datetime(1, 1, dt.time(3, 4), book.add_format({"num_format": "hh:mm"}))
    assert rows(path) == [["26:00:00", "03:04:00"]]


@pytest.mark.parametrize("at", [(0, 0), (2, 0), (0, 3), (3, 2)])
def test_a_table_may_begin_anywhere(tmp_path: Path, at: tuple[int, int]) -> None:
    """Empty rows above and empty columns beside a table are no part of it."""
    path = workbook(tmp_path / "c.xlsx", at, A=TABLE)
    file = open_file(path)

    assert (file.columns, file.notes) == (("id", "n"), [])
    assert rows(path) == [[f"C{n}", str(n)] for n in range(30)]
    assert file.row_name(0) == f"row {at[0] + 2} of sheet A"
    assert next(file.batches(1, start=29, columns=["n"])).to_pylist() == [{"n": "29"}]


def test_a_title_above_the_table(tmp_path: Path) -> None:
    """A title is no header, and is said to be left out."""
    path = workbook(tmp_path / "c.xlsx", A=[["Customers of 2024"], [], *TABLE])
    file = open_file(path)

    assert (file.columns, file.row_count(), file.row_name(0)) == (
        ("id", "n"),
        30,
        "row 4 of sheet A",
    )
    assert file.notes == ["the header is row 3; what stands above it is left out"]


def test_what_is_left_out_at_the_end(tmp_path: Path) -> None:
    """Blank rows and totals at the end are no customers."""
    end: Cells = [[None, None], ["Total", 435], [" ", None]]
    file = open_file(workbook(tmp_path / "c.xlsx", A=[*TABLE, *end]))

    assert file.row_count() == 30
    assert file.notes == [
        "the last row looks like a totals row ('Total') and is left out",
        "2 rows of blanks at the end are left out",
    ]


def test_the_largest_sheet_is_chosen(tmp_path: Path) -> None:
    """A small sheet that describes the large one is passed over, and it is said."""
    words = [["Variable", "Meaning"], ["id", "the customer"]]
    file = open_file(workbook(tmp_path / "c.xlsx", Words=words, Data=TABLE, Empty=[]))

    assert (file.form.sheet, file.notes) == ("Data", ["sheet 'Data' of 3"])


def test_sheets_of_like_size_are_not_guessed(tmp_path: Path) -> None:
    """Where several sheets may be meant, one is to be declared."""
    path = workbook(tmp_path / "c.xlsx", May=TABLE, June=TABLE)

    assert complaint(path) == (
        "c.xlsx: may hold its customers in 'May' and 'June'; declare the sheet"
    )
    assert len(rows(path, FileForm(sheet="June"))) == 30
    assert complaint(path, FileForm(sheet="July")) == (
        "c.xlsx: has no sheet 'July'; it has 'May', 'June'"
    )


def test_a_header_alone(tmp_path: Path) -> None:
    """A sheet with nothing but names has no rows."""
    file = open_file(workbook(tmp_path / "c.xlsx", A=TABLE[:1]))

    assert (file.columns, file.row_count(), file.sample(3, 1).num_rows) == (("id", "n"), 0, 0)


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([], "none of its sheets has a row of names for columns; it has the sheets 'A'"),
        ([["a", "a"], [1, 2]], "has the column a more than once"),
        ([["C1", 29.85], ["C2", 30]], "has no header"),
    ],
)
def test_sheets_that_are_no_table(tmp_path: Path, cells: Cells, says: str) -> None:
    """A sheet without names is rejected like a text without."""
    assert says in complaint(workbook(tmp_path / "c.xlsx", A=cells))


def test_a_damaged_workbook(tmp_path: Path) -> None:
    """Parts of a workbook that are missing are named in one line."""
    whole = workbook(tmp_path / "whole.xlsx", A=TABLE)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "c.xlsx", "w") as new:
        for name in old.namelist():
            if "sheet1" not in name:
                new.writestr(name, old.read(name))
    whole.write_bytes(whole.read_bytes()[:2_000])

    assert "is no Excel workbook or a damaged one" in complaint(tmp_path / "c.xlsx")
    assert "is damaged, or only the first part of a file" in complaint(whole)


def test_a_cell_far_away(tmp_path: Path) -> None:
    """A sheet that would be a rectangle beyond all memory is rejected before it is read."""
    path = workbook(tmp_path / "c.xlsx", A=TABLE)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "a")
        sheet.write(1_048_575, 16_383, "z")

    assert "1,048,576 rows of 16,384 columns, more than fit into memory" in complaint(path)


def test_workbooks_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook is rejected by what it unpacks to, and by the texts that its cells share."""
    path = workbook(
        tmp_path / "c.xlsx", A=[["id", "text"], *([n, "x" * 5_000] for n in range(200))]
    )
    assert len(rows(path)) == 200

    monkeypatch.setattr(workbook_size, "_MAX_TEXTS", 1_100_000)
    assert len(rows(path)) == 200
    monkeypatch.setattr(workbook_size, "_MAX_TEXTS", 900_000)
    assert "has a sheet with too much text for memory; save it as CSV" in complaint(path)
    monkeypatch.setattr(workbook_size, "_MAX_UNPACKED", 10_000)
    assert "unpacks to more than 10,000 bytes" in complaint(path)


CELL = st.none() | st.integers(-(2**52), 2**52) | st.booleans() | st.text("ab é<&", max_size=5)


@settings(deadline=None, max_examples=40)
@given(
    cells=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8),
    at=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_any_table_comes_back(
    tmp_path_factory: pytest.TempPathFactory, cells: Cells, at: tuple[int, int]
) -> None:
    """Whatever is in a sheet, wherever it begins, comes back as texts."""
    path = tmp_path_factory.getbasetemp() / "any.xlsx"
    written = [*cells, ["end", "end", "end"]]
    workbook(path, at, A=[["a", "b", "c"], *written])

    expected = [
        [str(c).lower() if isinstance(c, bool) else None if c in (None, "") else str(c) for c in r]
        for r in written
    ]
    assert rows(path) == expected

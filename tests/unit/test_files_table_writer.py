"""Tables as files: what is written is read again, and no text of it starts a formula."""

import csv
import zipfile
from datetime import UTC, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import parquet
from python_calamine import CalamineWorkbook

from churnstream.errors import ConfigurationError, DataError
from churnstream.files import workbook_writer
from churnstream.files.table_writer import SafeCsvWriter, write_table
from churnstream.files.workbook_writer import WorkbookWriter

STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
NOW = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
TEXTS = st.text(st.characters(blacklist_categories=["Cs"])) | st.builds(
    "{}{}".format, st.sampled_from(STARTS), st.text(st.characters(blacklist_categories=["Cs"]))
)
TABLE = pa.table(
    {
        "name": pa.array(["A", None], pa.string()),
        "risk": pa.array([0.25, None], pa.float64()),
        "at": pa.array([NOW, None], pa.timestamp("us", "UTC")),
    }
)


def as_csv(table: pa.Table) -> list[list[str]]:
    """What a reader of CSV finds in it."""
    file = BytesIO()
    with SafeCsvWriter(file, table.schema) as writer:
        for batch in table.to_batches():
            writer.write_batch(batch)
    return list(csv.reader(StringIO(file.getvalue().decode(), newline="")))


def as_workbook(table: pa.Table) -> bytes:
    """A workbook with it."""
    file = BytesIO()
    with WorkbookWriter(file, table.schema) as writer:
        for batch in table.to_batches():
            writer.write_batch(batch)
    return file.getvalue()


def is_number(text: str) -> bool:
    """Whether a spreadsheet reads it as one, with a point or a comma."""
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True


@example(["=HYPERLINK(A1)", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1", "'=1"])
@example(["-5", "+3.5e2", "-", "+49 170 1", "-1,5", "=", "-5\n", "-5=1", "+.5", "-inf", "1_0"])
@given(st.lists(TEXTS, min_size=1, max_size=9))
def test_no_text_of_a_csv_file_starts_a_formula(texts: list[str]) -> None:
    """Neither a cell nor a name; a text is changed by an apostrophe before it, or not at all."""
    (names, *rows) = as_csv(pa.table({texts[0] or "none": pa.array(texts, pa.string())}))
    cells = [row[0] if row else "" for row in rows]

    assert len(cells) == len(texts)
    for text, cell in [(texts[0] or "none", names[0]), *zip(texts, cells, strict=True)]:
        assert cell[:1] not in [*STARTS] or is_number(cell)
        assert cell in (text, f"'{text}")
        assert (cell == text) == (text[:1] not in [*STARTS] or is_number(cell))


@example(["\x00", "\x0b\x1f", "\ufffe", "\uffff", "</f>", "\x7f\x85", "]]>", "&", "\U0010ffff"])
@example(["=HYPERLINK(A1)", "{=1}", "-5", "http://a.b", "mailto:a@b", "internal:A1", "_x0041_"])
@given(st.lists(TEXTS, min_size=1, max_size=9))
def test_no_cell_of_a_workbook_is_a_formula_or_a_link(texts: list[str]) -> None:
    """Whatever a text says, it is a text there; what XML cannot hold is escaped."""
    book = as_workbook(pa.table({"name": pa.array(texts, pa.string())}))
    with zipfile.ZipFile(BytesIO(book)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet
    assert sheet.count('t="inlineStr"') == len(texts) + 1
    ElementTree.fromstring(sheet)  # Excel calls a book broken that is no XML


def test_texts_and_numbers_are_what_they_were_in_a_workbook() -> None:
    """Numbers and times are no texts, what is missing is empty, and names stand above."""
    book = CalamineWorkbook.from_filelike(BytesIO(as_workbook(TABLE)))
    assert book.get_sheet_by_index(0).to_python() == [
        ["name", "risk", "at"],
        ["A", 0.25, NOW.replace(tzinfo=None)],
    ]


def test_numbers_stay_numbers_in_csv() -> None:
    """Below zero, too; times are written as in records."""
    table = TABLE.append_column("change", pa.array([-1.5, -2.0]))
    assert as_csv(table) == [
        ["name", "risk", "at", "change"],
        ["A", "0.25", "2026-01-02T03:04:05.600000Z", "-1.5"],
        ["", "", "", "-2"],
    ]


def test_parquet_is_as_it_was(tmp_path: Path) -> None:
    """Programs read it: types and texts stay."""
    table = pa.table({"=name": ["=1+1"], "at": pa.array([NOW], pa.timestamp("us", "UTC"))})
    write_table(tmp_path / "new" / "a.parquet", table)
    assert parquet.read_table(tmp_path / "new" / "a.parquet").equals(table)


@pytest.mark.parametrize("name", ["a.csv", "a.XLSX", "a.pq"])
def test_a_table_without_rows_has_its_names(tmp_path: Path, name: str) -> None:
    """A file with nobody in it is a file that says so."""
    write_table(tmp_path / name, TABLE.slice(0, 0))
    assert (tmp_path / name).stat().st_size > 0
    if name == "a.csv":
        assert (tmp_path / name).read_text() == '"name","risk","at"\n'


@pytest.mark.parametrize("name", ["a.txt", "a", "csv", "a.xls"])
def test_an_unknown_format_is_named(tmp_path: Path, name: str) -> None:
    """With those that are known."""
    with pytest.raises(ConfigurationError, match=r"must end in \.csv, \.parquet, \.pq or \.xlsx"):
        write_table(tmp_path / name, TABLE)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, name: str) -> None:
    """Also where it fails in the middle: no half file, no draft."""
    (tmp_path / name).write_text("old")
    bad: Any = pa.chunked_array([pa.array(["x"]), pa.array(["y"])])
    table = pa.table({"a": bad})
    broken = table.to_batches()[1].rename_columns(["b"])

    class Failing:
        schema = table.schema

        def to_batches(self, _: int) -> list[pa.RecordBatch]:
            return [table.to_batches()[0], broken.append_column("c", pa.array([1]))]

    with pytest.raises((pa.ArrowInvalid, ValueError, IndexError)):
        write_table(tmp_path / name, Failing())
    assert (tmp_path / name).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """It names the file and what is wrong."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*file/a\.xlsx: Not a directory"):
        write_table(tmp_path / "file" / "a.xlsx", TABLE)


def test_a_sheet_has_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """More rows than Excel takes are named before a file is half full, with what takes more."""
    monkeypatch.setattr(workbook_writer, "_MAX_ROWS", 2)
    with pytest.raises(DataError, match=r"more than 1 rows; write \.csv or \.parquet"):
        write_table(tmp_path / "a.xlsx", TABLE)
    assert list(tmp_path.iterdir()) == []


def test_what_excel_has_no_cell_for() -> None:
    """Times before all that it knows become texts, endless texts are cut, NaN is empty."""
    old = datetime(1, 1, 1, tzinfo=UTC)
    table = pa.table(
        {
            "at": pa.array([old], pa.timestamp("us", "UTC")),
            "name": ["x" * 40_000],
            "risk": [float("nan")],
        }
    )
    book = CalamineWorkbook.from_filelike(BytesIO(as_workbook(table)))
    (_, (at, name, risk)) = book.get_sheet_by_index(0).to_python()
    assert at == "0001-01-01T00:00:00+00:00"
    assert len(str(name)) == 32_767
    assert str(name).endswith("x...")
    assert risk == ""

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from churnstream.errors import DataError
from churnstream.files.open_file import open_file


def written(folder: Path, **columns: Any) -> Path:
    """A Parquet file with some columns."""
    parquet.write_table(pa.table(columns), folder / "c.parquet")
    return folder / "c.parquet"


NOON = dt.datetime(2024, 1, 31, 12)
MIDNIGHT = dt.datetime(2024, 1, 31)


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([0.1 + 0.2, None]), ["0.30000000000000004", None]),
        (pa.array([70.0, 1e-7]), ["70", "1e-7"]),
        (pa.array([12345678901.0, 1.5e300]), ["12345678901", "1.5e+300"]),
        (pa.array([29.85, float("nan")], pa.float32()), ["29.85", "nan"]),
        (pa.array([2**53 + 1, -1]), ["9007199254740993", "-1"]),
        (pa.array([True, None]), ["true", None]),
        (pa.array(["Yes", None]).dictionary_encode(), ["Yes", None]),
        (pa.array([1.5, 1e10]).dictionary_encode(), ["1.5", "10000000000"]),
        (pa.array(["", " "], pa.large_string()), ["", " "]),
        (pa.array([None, None]), [None, None]),
        (pa.array([decimal.Decimal("1.50"), None]), ["1.50", None]),
        (pa.array([dt.date(2024, 1, 31), None]), ["2024-01-31", None]),
        (pa.array([MIDNIGHT, NOON]), ["2024-01-31", "2024-01-31T12:00:00"]),
        (pa.array([NOON.replace(microsecond=120_000), None]), ["2024-01-31T12:00:00.12", None]),
        (
            pa.array([MIDNIGHT, NOON], pa.timestamp("ms", "UTC")),
            ["2024-01-31T00:00:00Z", "2024-01-31T12:00:00Z"],
        ),
        (
            pa.array([NOON, None], pa.timestamp("s", "Asia/Kolkata")),
            ["2024-01-31T17:30:00+05:30", None],
        ),
        (pa.array([dt.time(3, 4, 5), dt.time(3, 4, 5, 500_000)]), ["03:04:05", "03:04:05.5"]),
    ],
    ids=str,
)
def test_values_become_text(tmp_path: Path, column: pa.Array, texts: list[str | None]) -> None:
    """Parquet's types become the text that people would write, and null stays null."""
    file = open_file(written(tmp_path, a=column, other=["x", "y"]))
    (batch,) = file.batches(5, columns=["a"])

    assert (batch["a"].type, batch["a"].to_pylist()) == (pa.string(), texts)
    assert (file.columns, file.row_count(), file.row_name(1)) == (("a", "other"), 2, "row 2")


def test_columns_without_a_text_are_left_out(tmp_path: Path) -> None:
    """Lists, structs, bytes and spans of time are left out by name."""
    others = {"l": [[1]], "s": [{"x": 1}], "b": [b"x"], "d": [dt.timedelta(1)]}
    file = open_file(written(tmp_path, a=["x"], **others))

    assert file.columns == ("a",)
    assert [note.split(" holds ")[0] for note in file.notes] == [
        f"column {name!r}" for name in others
    ]


def test_nothing_but_lists(tmp_path: Path) -> None:
    """A file without any column of texts or numbers is rejected."""
    with pytest.raises(DataError, match="has no column of texts, numbers or dates"):
        open_file(written(tmp_path, l=[[1]]))


def test_doubled_names(tmp_path: Path) -> None:
    """A name that is there twice is rejected."""
    path = tmp_path / "c.parquet"
    parquet.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)

    with pytest.raises(DataError, match="has the column a more than once; keep one of each"):
        open_file(path)


def test_a_damaged_file(tmp_path: Path) -> None:
    """Only the first part of a Parquet file is rejected in one line."""
    path = written(tmp_path, a=["x"] * 100)
    path.write_bytes(path.read_bytes()[:50])

    with pytest.raises(DataError, match=r"c\.parquet: "):
        open_file(path)


def test_texts_with_a_decimal_comma(tmp_path: Path) -> None:
    """Texts tell the decimal sign, and numbers have a point."""
    file = open_file(written(tmp_path, a=["1,5", "2,25"], b=[1.5, 2.25]))

    assert (file.form.decimal, file.notes) == (",", ["decimal comma"])


def test_a_long_value_is_rejected(tmp_path: Path) -> None:
    """A row that is longer than one of a text file may be is rejected, and named."""
    path = written(tmp_path, n=[1, 2], a=pa.array(["x", "y" * 300_000]).dictionary_encode())

    with pytest.raises(DataError, match="row 2 has 300,0"):
        open_file(path)

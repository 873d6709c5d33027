"""Rows of a file by the names of a schema: whatever the file calls them and writes beside them."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from builders import DATASET_COLUMNS, TELCO, customer, telco_rows
from churnstream.codecs.customer_rows import BUNDLED, CustomerRows, open_rows
from churnstream.errors import DataError
from churnstream.files.file_form import FileForm
from churnstream.model.training_rows import usable
from churnstream.records.rejection import Rejection, RejectionCount
from churnstream.schema.fields import Boolean, Category, Integer, Number
from churnstream.schema.schema import Label, Schema

COLUMNS = (*DATASET_COLUMNS, "Churn")
HEADER = ",".join(COLUMNS)
BANK = Schema(
    name="bank",
    id="CustomerId",
    fields={"Balance": Number(), "Card": Boolean(), "City": Category()},
    label=Label("Exited", "1"),
)

Write = Callable[..., Path]


def row(number: int) -> list[str]:
    """The text of a valid row that its customerID tells from others."""
    event = customer(customerID=f"C{number}", Churn="No")
    return [str(event[name]) for name in COLUMNS]


def line(number: int) -> str:
    """The same as a line of CSV."""
    return ",".join(row(number))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lines to a file and says where."""

    def write(*lines: str, name: str = "customers.csv") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{text}\n" for text in lines))
        return path

    return write


def read(rows: CustomerRows, size: int = 100, start: int = 0) -> list[list[str]]:
    """The cells of all batches."""
    return [list(r.values()) for b in rows.batches(size, start) for r in b.to_pylist()]


def complaint(path: Path, schema: Schema = TELCO) -> str:
    """The error that opening the file ends in, its folder left out."""
    with pytest.raises(DataError) as caught:
        open_rows(path, schema)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


# ---- columns ----


def test_the_bundled_customers_are_the_default() -> None:
    """Without a path, the rows are those that the package ships."""
    rows = telco_rows()

    assert (rows.file.path, rows.file.name) == (BUNDLED, "customers.csv.gz")
    assert tuple(rows.names) == COLUMNS
    assert rows.notes == []


def test_columns_are_put_in_order_and_extra_ones_left_out(write: Write) -> None:
    """The order of columns in the file is free, and columns that the schema lacks stay there."""
    path = write(f"{','.join(reversed(COLUMNS))},extra", f"{','.join(reversed(row(1)))},x")
    rows = telco_rows(path)

    assert read(rows) == [row(1)]
    (batch,) = rows.batches(10)
    assert (batch.schema.names, batch.schema.types) == ([*COLUMNS], [pa.string()] * len(COLUMNS))


def test_the_label_is_optional(write: Write) -> None:
    """A file without it has the other columns only."""
    rows = telco_rows(write(",".join(DATASET_COLUMNS), ",".join(row(1)[:-1])))

    assert tuple(rows.names) == DATASET_COLUMNS
    assert read(rows) == [row(1)[:-1]]


def test_names_in_another_spelling_are_found_and_said(write: Write) -> None:
    """Case, blanks and underscores tell no columns apart, that of the label included."""
    rows = open_rows(write("customer_id,balance,CARD,City,exited", "1,2,3,4,5"), BANK)

    assert read(rows) == [["1", "2", "3", "4", "5"]]
    assert list(rows.names) == ["CustomerId", "Balance", "Card", "City", "Exited"]
    assert "column 'customer_id' is taken for CustomerId" in rows.notes
    assert "column 'exited' is taken for Exited" in rows.notes


def test_missing_columns_are_named(write: Write) -> None:
    """One line names every column that is missing."""
    header = HEADER.replace("gender", "sex").replace("tenure", "months")

    assert complaint(write(header, line(1))).startswith(
        "customers.csv: lacks the columns gender, tenure"
    )


def test_columns_of_which_either_may_be_meant(write: Write) -> None:
    """Two spellings of one name are an error, for the label as for a field."""
    fields = write("CustomerId,BALANCE,balance,Card,City", "1,2,3,4,5")
    assert "and any of them may be Balance; rename" in complaint(fields, BANK)
    labels = write("CustomerId,Balance,Card,City,exited,EXITED", "1,2,3,4,5,6")
    assert "and any of them may be Exited; rename" in complaint(labels, BANK)


# ---- cells ----


def test_values_stay_the_text_in_the_file(write: Write) -> None:
    """Blanks, words for nothing and zeros in front stay for the schema to judge."""
    path = write("CustomerId,Balance,Card,City", "007, ,NA,null", "1,nan,yes, Rome ")

    assert read(open_rows(path, BANK)) == [
        ["007", " ", "NA", "null"],
        ["1", "nan", "yes", " Rome "],
    ]


def test_numbers_of_another_country_become_plain(write: Write) -> None:
    """Only columns of numbers are read by the file's marks of numbers."""
    path = write("CustomerId;Balance;Card;City", "1,5;1.234,50;1;1.234,50", "2;0,5;0;x")
    form = FileForm(decimal=",", thousands=".")

    found = read(open_rows(path, BANK, form))

    assert found == [["1,5", "1234.50", "1", "1.234,50"], ["2", "0.5", "0", "x"]]


# ---- batches and samples ----


@pytest.mark.parametrize("size", [1, 999, 2_000, 5_000, 100_000])
def test_batches_span_blocks(write: Write, size: int) -> None:
    """Batches are full across the blocks in which a long file is read, from wherever they start."""
    rows = telco_rows(write(HEADER, *map(line, range(5_000))))
    batches = list(rows.batches(size, start=4_000))

    names = [name for batch in batches for name in batch["customerID"].to_pylist()]
    assert names == [f"C{number}" for number in range(4_000, 5_000)]
    assert all(batch.num_rows == size for batch in batches[:-1])
    assert rows.file.row_count() == 5_000


def test_long_rows_come_in_small_batches(write: Write) -> None:
    """Rows as long as may be do not fill the memory ten thousand at a time."""
    name = "x" * 200_000
    lines = [HEADER, *(line(n).replace("Electronic check", name) for n in range(500))]

    batches = list(telco_rows(write(*lines)).batches(10_000))

    assert sum(batch.num_rows for batch in batches) == 500
    assert max(batch.nbytes for batch in batches) < 40_000_000


def test_digest_is_of_the_bytes(write: Write) -> None:
    """The digest is the SHA-256 of the file as it lies there."""
    path = write(HEADER, line(1))

    assert telco_rows(path).file.digest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_small_file_is_its_own_sample(write: Write) -> None:
    """Up to the limit, a sample is all rows in their order, by the names of the schema."""
    rows = telco_rows(write(f"extra,{HEADER}", *(f"x,{line(n)}" for n in range(5))))

    assert rows.sample(5, seed=1)["customerID"].to_pylist() == [f"C{n}" for n in range(5)]
    assert rows.sample(5, seed=1).schema.names == [*COLUMNS]


def test_a_sample_is_uniform(write: Write) -> None:
    """Over many seeds, every row is drawn about as often as any other."""
    rows = telco_rows(write(HEADER, *map(line, range(10))))
    drawn = [n for seed in range(300) for n in rows.sample(5, seed)["customerID"].to_pylist()]
    _, counts = np.unique(drawn, return_counts=True)

    assert (len(counts), counts.sum()) == (10, 1_500)
    assert 110 < counts.min() <= counts.max() < 190  # 150 expected; 4.6 standard deviations


# ---- when no row is of use ----


def test_a_file_of_no_use_says_why(write: Write) -> None:
    """Either it has no rows, or the reasons are counted."""
    rows = telco_rows(write(HEADER))
    rejected = RejectionCount()
    assert rows.useless("scored", rejected).endswith("customers.csv: has no rows")

    rejected.add(Rejection("missing_field", "tenure", "is missing"), "row 2")
    rejected.add(Rejection("missing_field", "tenure", "is missing"), "row 3")
    assert rows.useless("scored", rejected).endswith(
        "customers.csv: none of its 2 rows can be scored: "
        "2 missing_field in tenure, as in row 2: is missing"
    )


def test_an_id_of_blanks_is_none(tmp_path: Path) -> None:
    """Such a row is rejected, as one whose id is empty."""
    path = tmp_path / "c.csv"
    path.write_text("id,a\n ,1\nC-1,2\n")
    rows = open_rows(path, Schema(name="s", id="id", fields={"a": Integer()}))
    events, rejected = usable(rows)
    assert (len(events), rejected.total) == (1, 1)

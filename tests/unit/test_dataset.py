import contextlib
import csv
import gzip
import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from churnstream.files.dataset import BUNDLED, Dataset, open_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from builders import DATASET_COLUMNS, customer
from churnstream.errors import DataError
from churnstream.files.parquet_pages import pages

COLUMNS = (*DATASET_COLUMNS, "Churn")
HEADER = ",".join(COLUMNS)


def row(number: int) -> list[str]:
    """The text of a valid row that its customerID tells from others."""
    event = customer(customerID=f"C{number}", Churn="No")
    return [str(event[name]) for name in COLUMNS]


def line(number: int) -> str:
    """The same as a line of CSV."""
    return ",".join(row(number))


def csv_text(rows: list[list[str]], columns: tuple[str, ...] = COLUMNS) -> str:
    """Rows as CSV that takes any text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([columns, *rows])
    return text.getvalue()


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lines or bytes to a file and says where."""

    def write(content: list[str] | bytes, name: str = "customers.csv", end: str = "\n") -> Path:
        path = tmp_path / name
        if isinstance(content, list):
            content = "".join(text + end for text in content).encode()
        path.write_bytes(content)
        return path

    return write


def read(dataset: Dataset, size: int = 100, start: int = 0) -> list[list[str]]:
    """The rows of all batches."""
    return [list(r.values()) for b in dataset.batches(size, start) for r in b.to_pylist()]


def ids(path: Path) -> list[str]:
    """The first column of all rows."""
    return [cells[0] for cells in read(open_dataset(path))]


def complaint(path: Path) -> str:
    """The error that opening and reading the file ends in, its folder left out."""
    with pytest.raises(DataError) as caught:
        read(open_dataset(path))
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


# ---- what a file may look like ----


def test_the_bundled_customers_are_the_default() -> None:
    """Without a path, the dataset is the file that the package ships."""
    dataset = open_dataset(None)

    assert (dataset.path, dataset.name, dataset.columns) == (BUNDLED, "customers.csv.gz", COLUMNS)


def test_values_stay_the_text_in_the_file(write: Write) -> None:
    """Nothing is inferred: blanks, zeros in front, null words and empty text stay as they stand."""
    texts = ["007", " ", "", "null", "NA", "1.50", "true", "2026-01-01", "1e5", "a,b", 'say "hi"']
    cells = [texts[i % len(texts)] for i in range(len(COLUMNS))]
    dataset = open_dataset(write(csv_text([cells]).encode()))

    assert read(dataset) == [cells]
    assert next(dataset.batches(1)).schema.types == [pa.string()] * len(COLUMNS)


def test_columns_are_put_in_order_and_extra_ones_left_out(write: Write) -> None:
    """The order of columns in the file is free, and unknown columns are passed over."""
    path = write([f"{','.join(reversed(COLUMNS))},extra", f"{','.join(reversed(row(1)))},x"])

    assert read(open_dataset(path)) == [row(1)]


def test_the_label_is_optional(write: Write) -> None:
    """A file without Churn has the other columns only."""
    dataset = open_dataset(write([",".join(DATASET_COLUMNS), ",".join(row(1)[:-1])]))

    assert dataset.columns == DATASET_COLUMNS
    assert read(dataset) == [row(1)[:-1]]


def test_a_byte_order_mark_is_no_part_of_the_header(write: Write) -> None:
    """A file that begins with a UTF-8 byte order mark reads as if it did not."""
    assert ids(write([f"\ufeff{HEADER}", line(1)])) == ["C1"]


def test_windows_line_ends(write: Write) -> None:
    """CRLF ends a line and leaves no trace in the last column."""
    assert read(open_dataset(write([HEADER, line(1), line(2)], end="\r\n"))) == [row(1), row(2)]


def test_the_last_line_may_lack_its_end(write: Write) -> None:
    """The last row counts, with or without a line end."""
    assert ids(write(f"{HEADER}\n{line(1)}\n{line(2)}".encode())) == ["C1", "C2"]


def test_blank_lines_are_no_rows(write: Write) -> None:
    """Blank lines are passed over, and `start` does not count them."""
    path = write(["", HEADER, "", line(1), "", "", line(2), line(3), ""])

    assert ids(path) == ["C1", "C2", "C3"]
    assert read(open_dataset(path), start=2) == [row(3)]


def test_a_header_alone_has_no_rows(write: Write) -> None:
    """A file with a header and no customers is valid and yields nothing."""
    dataset = open_dataset(write([HEADER]))

    assert (read(dataset), dataset.row_count(), dataset.sample(5, seed=1).num_rows) == ([], 0, 0)


@pytest.mark.parametrize("name", ["customers.csv.gz", "CUSTOMERS.CSV.GZ"])
def test_gzip(write: Write, name: str) -> None:
    """A gzipped CSV reads like the CSV inside, also in several gzip members."""
    members = [gzip.compress(f"{text}\n".encode()) for text in (HEADER, line(1), line(2))]

    assert ids(write(b"".join(members), name)) == ["C1", "C2"]


def test_rows_longer_than_a_block_apart(write: Write) -> None:
    """Quoted line ends are text, wherever the reader's blocks happen to end."""
    rows = [[f"C{number}", *[f'a\n"b",\r\n{number}'] * 20] for number in range(3_000)]

    assert read(open_dataset(write(csv_text(rows).encode()))) == rows


# ---- Parquet ----


def parquet_file(folder: Path, name: str = "customers.parquet", **columns: Any) -> Path:
    """Two valid rows, with some columns replaced."""
    valid = {name: pa.array([text] * 2) for name, text in zip(COLUMNS, row(1), strict=True)}
    parquet.write_table(pa.table({**valid, **columns}), folder / name)
    return folder / name


@pytest.mark.parametrize("name", ["customers.parquet", "customers.pq"])
def test_parquet_reads_like_csv(tmp_path: Path, name: str) -> None:
    """A Parquet file of text gives the same rows as a CSV file, extra columns left out."""
    path = parquet_file(tmp_path, name, extra=pa.array([1, 2]))

    assert read(open_dataset(path)) == [row(1), row(1)]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([0.1 + 0.2, None]), ["0.30000000000000004", None]),
        (pa.array([70.0, 1e-7]), ["70", "1e-7"]),
        (pa.array([29.85, float("nan")], pa.float32()), ["29.85", "nan"]),
        (pa.array([2**53 + 1, -1]), ["9007199254740993", "-1"]),
        (pa.array(["Yes", None]).dictionary_encode(), ["Yes", None]),
        (pa.array([1.5, 2.0]).dictionary_encode(), ["1.5", "2"]),
        (pa.array(["", " "], pa.large_string()), ["", " "]),
        (pa.array([None, None]), [None, None]),
    ],
    ids=str,
)
def test_parquet_values_become_text(
    tmp_path: Path, column: pa.Array, texts: list[str | None]
) -> None:
    """Parquet's types become the shortest text that means the same, and null stays null."""
    (batch,) = open_dataset(parquet_file(tmp_path, tenure=column)).batches(2)

    assert batch["tenure"].type == pa.string()
    assert batch["tenure"].to_pylist() == texts


def test_parquet_columns_that_are_no_text(tmp_path: Path) -> None:
    """A column of lists is refused by its name."""
    message = complaint(parquet_file(tmp_path, tenure=pa.array([[1], [2]])))

    assert message.startswith("customers.parquet: the column tenure holds no text or numbers: ")


def test_parquet_lacking_columns(tmp_path: Path) -> None:
    """A Parquet file is checked for its columns like a CSV file."""
    parquet.write_table(pa.table({"tenure": [1]}), tmp_path / "c.parquet")

    assert complaint(tmp_path / "c.parquet").startswith("c.parquet: lacks the columns customerID, ")


def test_no_parquet_inside(write: Write) -> None:
    """A file that only has the suffix of Parquet is named in one line."""
    assert "not a parquet file" in complaint(write([HEADER], "customers.parquet"))


LONG = "a" * 100_000_000
NUMBERS = pa.array([0] * 30_000, pa.int32())
READ = """
import resource, sys
from pathlib import Path
from churnstream.files.dataset import open_dataset
from churnstream.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(sum(batch.num_rows for batch in open_dataset(Path(sys.argv[1])).batches(10_000)), "rows")
except DataError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
HOSTILE: dict[str, tuple[Callable[[], pa.Array], dict[str, Any], str]] = {
    "a long value": (lambda: pa.array([LONG, "x"]), {}, "has a page of 100,0"),
    "a long value, packed": (
        lambda: pa.array(["x", LONG]),
        {"compression": "zstd", "use_dictionary": False},
        "the column Contract in row group 1 has a page of 100,0",
    ),
    "long bytes": (lambda: pa.array([LONG.encode(), b""]), {}, "has a page of 100,0"),
    "one that is just too long": (
        lambda: pa.array(["x", "a" * 262_144]),
        {},
        "row 2 has 262,2",
    ),
    "a page of long values": (
        lambda: pa.array([f"{n}" * 300_000 for n in range(2)]),
        {"use_dictionary": False},
        "the column Contract in row group 1 has a row of over 262,144 bytes",
    ),
    "one in every row": (
        lambda: pa.DictionaryArray.from_arrays(NUMBERS, pa.array(["a" * 900_000])),
        {"compression": "zstd"},
        "row 1 has 900,0",
    ),
    "one in every row, as long as may be": (
        lambda: pa.DictionaryArray.from_arrays(NUMBERS, pa.array(["a" * 200_000])),
        {"compression": "zstd"},
        "30000 rows",
    ),
    "each as long as the last": (
        lambda: pa.array(["a" * 100_000] * 1000),
        {"use_dictionary": False, "column_encoding": {"Contract": "DELTA_BYTE_ARRAY"}},
        "is encoded as DELTA_BYTE_ARRAY",
    ),
    "an endless list": (
        lambda: pa.ListArray.from_arrays([0, 0, 20_000_000], pa.nulls(20_000_000, pa.int8())),
        {},
        "the column Contract holds no text or numbers: it holds list",
    ),
    "a struct": (lambda: pa.array([{"a": 1}] * 2), {}, "it holds struct"),
    "bytes of one length": (
        lambda: pa.array([b"a" * 300] * 2, pa.binary(300)),
        {},
        "it holds fixed_size_binary[300]",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_parquet_file_holds_no_more_than_memory(tmp_path: Path, case: str) -> None:
    """Whatever a small file unpacks to: bounded memory, and one line that names row or column."""
    make, options, says = HOSTILE[case]
    column = make()
    count = len(column)
    valid = {name: pa.array([text] * count) for name, text in zip(COLUMNS, row(1), strict=True)}
    path = tmp_path / "hostile.parquet"
    parquet.write_table(pa.table({**valid, "Contract": column}), path, **options)

    ran = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )

    line, megabytes = ran.stdout.splitlines()
    assert says in line
    assert int(megabytes) < 400
    assert ran.stderr == ""


TEXTS = st.lists(st.none() | st.text("abé", max_size=50), min_size=1, max_size=200)


@settings(deadline=None)
@given(
    texts=TEXTS,
    size=st.integers(1, 50),
    page=st.sampled_from([1, 64, 1024**2]),
    compression=st.sampled_from(["none", "snappy", "zstd", "gzip", "lz4", "brotli"]),
    encoding=st.sampled_from([None, "PLAIN", "DELTA_LENGTH_BYTE_ARRAY"]),
    version=st.sampled_from(["1.0", "2.0"]),
    kind=st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.binary()]),
)
def test_any_parquet_file_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str | None],
    size: int,
    page: int,
    compression: str,
    encoding: str | None,
    version: str,
    kind: pa.DataType,
) -> None:
    """Pages, encodings, compression and types change nothing, and every page is seen."""
    path = tmp_path_factory.mktemp("parquet") / "c.parquet"
    valid = {
        name: pa.array([text] * len(texts)) for name, text in zip(COLUMNS, row(1), strict=True)
    }
    contract = pa.array(texts, pa.string())
    contract = contract.cast(pa.binary()) if kind == pa.binary() else pa.array(texts, kind)
    parquet.write_table(
        pa.table({**valid, "Contract": contract}),
        path,
        row_group_size=70,
        data_page_size=page,
        write_batch_size=7,
        compression=compression,
        use_dictionary=encoding is None,
        column_encoding={"Contract": encoding} if encoding else None,
        data_page_version=version,
    )

    found = [text for batch in open_dataset(path).batches(size) for text in batch["Contract"]]

    assert [text.as_py() for text in found] == texts
    with parquet.ParquetFile(path) as file, path.open("rb") as raw:
        for group in map(file.metadata.row_group, range(file.num_row_groups)):
            for chunk in map(group.column, range(group.num_columns)):
                offsets = (chunk.dictionary_page_offset, chunk.data_page_offset)
                begin = min(offset for offset in offsets if offset)
                each = list(pages(raw, begin, chunk.total_compressed_size))
                assert sum(p.values for p in each if not p.is_dictionary) == group.num_rows
                assert sum(p.is_dictionary for p in each) == chunk.has_dictionary_page


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_pages_or_damaged(content: bytes, length: int) -> None:
    """Whatever stands where the header of a page should: an end, or one kind of error."""
    with contextlib.suppress(pa.ArrowInvalid):
        for page in pages(io.BytesIO(content), 0, length):
            assert min(page.size, page.values) >= 0


def test_long_rows_come_in_small_batches(write: Write) -> None:
    """Rows as long as may be do not fill the memory ten thousand at a time."""
    name = "x" * 200_000
    lines = [HEADER, *(line(n).replace("Electronic check", name) for n in range(500))]

    batches = list(open_dataset(write(lines)).batches(10_000))

    assert sum(batch.num_rows for batch in batches) == 500
    assert max(batch.nbytes for batch in batches) < 40_000_000


# ---- batches ----

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=5)
ROW = st.lists(CELL, min_size=3, max_size=3).map(lambda cells: cells * (len(COLUMNS) // 3))


@settings(deadline=None)
@given(rows=st.lists(ROW, max_size=12), size=st.integers(1, 15), start=st.integers(0, 15))
def test_any_chunking_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], size: int, start: int
) -> None:
    """Batches of any size from any start are the file's rows, all full but the last."""
    path = tmp_path_factory.getbasetemp() / "chunks.csv"
    path.write_text(csv_text(rows), newline="")
    sizes = [batch.num_rows for batch in open_dataset(path).batches(size, start)]

    assert read(open_dataset(path), size, start) == rows[start:]
    assert all(number == size for number in sizes[:-1])
    assert all(0 < number <= size for number in sizes)


@pytest.mark.parametrize("size", [1, 999, 2_000, 5_000, 100_000])
def test_batches_span_blocks(write: Write, size: int) -> None:
    """Batches are full across the blocks in which a long file is read."""
    dataset = open_dataset(write([HEADER, *map(line, range(5_000))]))
    batches = list(dataset.batches(size, start=4_000))

    names = [name for batch in batches for name in batch["customerID"].to_pylist()]
    assert names == [f"C{number}" for number in range(4_000, 5_000)]
    assert all(batch.num_rows == size for batch in batches[:-1])
    assert dataset.row_count() == 5_000


def test_a_batch_left_unread_costs_nothing(write: Write) -> None:
    """Stopping early leaves nothing behind that would warn or hang."""
    batches = open_dataset(write([HEADER, *map(line, range(5_000))])).batches(10)

    assert next(batches).num_rows == 10
    del batches


def test_digest_is_of_the_bytes(write: Write) -> None:
    """The digest is the SHA-256 of the file as it lies there."""
    path = write([HEADER, line(1)])

    assert open_dataset(path).digest() == hashlib.sha256(path.read_bytes()).hexdigest()


# ---- sample ----


def test_a_small_file_is_its_own_sample(write: Write) -> None:
    """Up to the limit, a sample is all rows in their order."""
    dataset = open_dataset(write([HEADER, *map(line, range(5))]))

    assert dataset.sample(5, seed=1)["customerID"].to_pylist() == [f"C{n}" for n in range(5)]


def test_a_sample_keeps_to_its_limit_and_seed(write: Write) -> None:
    """A sample has no row twice, and depends on the seed alone."""
    dataset = open_dataset(write([HEADER, *map(line, range(20_000))]))
    first, again, other = (dataset.sample(300, seed) for seed in (1, 1, 2))

    assert len(set(first["customerID"].to_pylist())) == 300
    assert first == again
    assert first != other


def test_a_sample_is_uniform(write: Write) -> None:
    """Over many seeds, every row is drawn about as often as any other."""
    dataset = open_dataset(write([HEADER, *map(line, range(10))]))
    drawn = [n for seed in range(300) for n in dataset.sample(5, seed)["customerID"].to_pylist()]
    _, counts = np.unique(drawn, return_counts=True)

    assert (len(counts), counts.sum()) == (10, 1_500)
    assert 110 < counts.min() <= counts.max() < 190  # 150 expected; 4.6 standard deviations


# ---- what is wrong with a file ----


def test_missing_columns_are_named_all_at_once(write: Write) -> None:
    """One line names every column that is missing, and the header that was found."""
    path = write(["customerID;" + HEADER.removeprefix("customerID,gender,"), line(1)])

    assert complaint(path).startswith(
        "customers.csv: lacks the columns customerID, gender, SeniorCitizen; it needs every column "
        'of the Telco data set, and has "customerID;SeniorCitizen,Partner,Depende'
    )


def test_one_missing_column(write: Write) -> None:
    """A single missing column is named in the singular."""
    assert "lacks the column tenure;" in complaint(write([HEADER.replace("tenure", "months")]))


def test_repeated_columns(write: Write) -> None:
    """A column that is there twice is refused, as nobody can tell which one counts."""
    message = complaint(write([f"{HEADER},tenure,Churn", f"{line(1)},1,No"]))

    expected = "customers.csv: has the columns tenure, Churn more than once; keep one of each"
    assert message == expected


def test_repeated_extra_columns_do_no_harm(write: Write) -> None:
    """Columns that are left out may be there as often as they like."""
    assert ids(write([f"{HEADER},,", f"{line(1)},x,y"])) == ["C1"]


@pytest.mark.parametrize("content", [b"", b"\n\n", HEADER.encode()])
def test_an_empty_file(write: Write, content: bytes) -> None:
    """A file with nothing in it, or a header without even a line end, is called empty."""
    expected = "customers.csv: is empty; it needs a header and a row for each customer"
    assert complaint(write(content)) == expected


@pytest.mark.parametrize(("change", "fields"), [(",extra", 22), ("", 1)])
def test_a_broken_row_is_numbered(write: Write, change: str, fields: int) -> None:
    """A row with too many or too few fields is named by its number."""
    lines = [HEADER, *map(line, range(4_000)), line(1) + change if change else "one", line(2)]

    assert complaint(write(lines)) == (
        f"customers.csv: row 4002 (the header is row 1) has {fields} fields instead of 21; "
        "mend or remove it"
    )


def test_rows_before_a_broken_one_are_read(write: Write) -> None:
    """Full batches before a broken row come out before the error does."""
    lines = [HEADER, *map(line, range(10_000)), "broken"]
    batches = open_dataset(write(lines)).batches(1_000)

    assert [next(batches)["customerID"][0].as_py() for _ in range(2)] == ["C0", "C1000"]


def test_a_row_in_another_encoding(write: Write) -> None:
    """A row that is not UTF-8 is named by its number."""
    content = f"{HEADER}\n{line(1)}\n{line(2).replace('Female', 'Weiblich-ä')}\n".encode("latin-1")

    assert complaint(write(content)) == (
        "customers.csv: row 3 (the header is row 1) is not UTF-8 text; save the file as UTF-8"
    )


@pytest.mark.parametrize("content", [HEADER.encode("utf-16"), f"{HEADER},\xe9\n".encode("latin-1")])
def test_a_header_in_another_encoding(write: Write, content: bytes) -> None:
    """A file that is not UTF-8 from the start is refused with what to do about it."""
    expected = "customers.csv: is not UTF-8 text; save the file as UTF-8"
    assert complaint(write(content)) == expected


def test_a_quote_that_is_never_closed(write: Write) -> None:
    """A row without an end is refused before it fills the memory."""
    lines = [HEADER, '"' + line(0), *map(line, range(8_000))]

    assert complaint(write(lines)) == (
        "customers.csv: a row is longer than 262144 bytes; is a quote never closed?"
    )


@pytest.mark.parametrize("content", [b"no gzip at all", gzip.compress(HEADER.encode())[:-6]])
def test_a_damaged_gzip_file(write: Write, content: bytes) -> None:
    """A file that is no gzip, or only the first part of one, is said to be damaged."""
    assert complaint(write(content, "customers.csv.gz")) == (
        "customers.csv.gz: is no gzip file or a damaged one; fetch or compress it again"
    )


def test_an_unknown_suffix(write: Write) -> None:
    """A file of another format is refused with the suffixes that are known."""
    assert complaint(write([HEADER], "customers.xlsx")) == (
        "customers.xlsx: is of no known format; its name must end in .csv, .csv.gz, .parquet, .pq"
    )


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named, with the system's reason."""
    assert complaint(tmp_path / "none.csv") == (
        "none.csv: cannot be read: No such file or directory; check its path and permissions"
    )


def test_a_folder(tmp_path: Path) -> None:
    """A folder is no file, whatever its name."""
    (tmp_path / "folder.csv").mkdir()

    assert complaint(tmp_path / "folder.csv").startswith(
        "folder.csv: cannot be read: Is a directory"
    )


def test_a_file_that_vanishes(write: Write) -> None:
    """A file that is gone when it is read is named like one that never was."""
    path = write([HEADER, line(1)])
    dataset = open_dataset(path)
    path.unlink()

    for use in (dataset.digest, dataset.row_count, lambda: read(dataset)):
        with pytest.raises(DataError, match=r"customers\.csv: cannot be read: "):
            use()

import csv
import gzip
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnstream.errors import ConfigurationError, DataError
from churnstream.files.customer_file import CustomerFile
from churnstream.files.file_form import FileForm
from churnstream.files.open_file import open_file

Write = Callable[..., Path]
Cells = list[list[str | None]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a text or bytes to a file and says where."""

    def write(content: str | bytes, name: str = "customers.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        return path

    return write


def read(file: CustomerFile, size: int = 100, start: int = 0) -> Cells:
    """The rows of all batches."""
    return [list(r.values()) for b in file.batches(size, start) for r in b.to_pylist()]


def complaint(path: Path, form: FileForm | None = None) -> str:
    """The error that opening and reading the file ends in, its folder left out."""
    with pytest.raises(DataError) as caught:
        read(open_file(path, form or FileForm()))
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


# ---- dialects ----


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["customers.csv", "c.tsv", "C.TXT", "customers"])
def test_the_delimiter_is_found(write: Write, delimiter: str, name: str) -> None:
    """Whatever the name says, the delimiter is the one by which rows have equal lengths."""
    rows = [["id", "text, or; so"], ["1", "a,b;c|d\te\nf"], ["2", "1,5"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)

    file = open_file(write(text.getvalue(), name))

    assert (file.columns, file.form.delimiter) == (("id", "text, or; so"), delimiter)
    assert read(file) == rows[1:]


def test_decimal_commas_do_not_divide(write: Write) -> None:
    """A comma in every number is no delimiter where semicolons are."""
    file = open_file(write("id;a;b\nx;1,5;2,5\ny;3,5;4,5\n"))

    assert file.notes == ["separated by ;, decimal comma"]
    assert (file.form.decimal, file.form.thousands) == (",", "")


def test_a_ragged_row_does_not_change_the_delimiter(write: Write) -> None:
    """A broken row near the beginning is an error of its own."""
    text = "a,b,c\n1,2,3\n1,2\n1,2,3\n"

    assert complaint(write(text)) == (
        "customers.csv: row 3 (the header is row 1) has 2 fields instead of 3; mend or remove it"
    )


def test_excels_hint_names_the_delimiter(write: Write) -> None:
    """A first line sep=; is no header."""
    file = open_file(write("\ufeffsep=;\r\na;b\r\n1;2\r\n"))

    assert (file.columns, read(file)) == (("a", "b"), [["1", "2"]])


def test_a_declared_delimiter_wins(write: Write) -> None:
    """What is declared is not detected."""
    file = open_file(write("a,b;c\n1,2;3\n"), FileForm(delimiter="tab"))

    assert file.columns == ("a,b;c",)


@pytest.mark.parametrize(
    "form",
    [
        FileForm(delimiter="::"),
        FileForm(encoding="utf-9"),
        FileForm(encoding="hex"),
        FileForm(decimal=";"),
        FileForm(thousands=".", decimal="."),
        FileForm(format="xls"),
    ],
    ids=str,
)
def test_what_cannot_be_declared(write: Write, form: FileForm) -> None:
    """Wrong use is an error of the configuration, in one line."""
    with pytest.raises(ConfigurationError):
        open_file(write("a,b\n1,2\n"), form)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(write: Write, end: str) -> None:
    """Lines may end as on any system, the last one without."""
    text = end.join(["", "a,b", "", "1,2", "", '3,"4"'])

    assert read(open_file(write(text))) == [["1", "2"], ["3", "4"]]


def test_empty_cells_are_missing(write: Write) -> None:
    """An empty cell is null; blanks and words stay for the schema to judge."""
    assert read(open_file(write('a,b,c,d\n,"", ,NA\n007,x,y,z\n'))) == [
        [None, None, " ", "NA"],
        ["007", "x", "y", "z"],
    ]


# ---- encodings ----


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", []),
        ("utf-8-sig", []),
        ("cp1252", ["read as Windows-1252"]),
        ("utf-16", ["read as UTF-16"]),
        ("utf-16-le", ["read as UTF-16"]),
        ("utf-16-be", ["read as UTF-16"]),
        ("utf-32", ["read as UTF-32"]),
    ],
)
def test_encodings_are_found(write: Write, encoding: str, said: list[str]) -> None:
    """The usual encodings are detected, and said aloud where they are not UTF-8."""
    file = open_file(write("Straße,Ort\nMüller-Weg,Köln\n", encoding=encoding))

    assert (file.columns, read(file), file.notes) == (
        ("Straße", "Ort"),
        [["Müller-Weg", "Köln"]],
        said,
    )


def test_a_declared_encoding(write: Write) -> None:
    """An encoding that nobody can detect is declared."""
    path = write("jméno,město\nŘehoř,Plzeň\n", encoding="cp1250")

    assert read(open_file(path, FileForm(encoding="cp1250"))) == [["Řehoř", "Plzeň"]]


def test_the_first_letter_that_is_not_ascii_may_come_late(write: Write) -> None:
    """The encoding is found wherever the first letter is that tells it."""
    text = "id,name\n" + "1,Meyer\n" * 100_000 + "2,Müller\n"

    file = open_file(write(text, encoding="cp1252"))

    assert (file.form.encoding, read(file, start=100_000)) == ("cp1252", [["2", "Müller"]])


@pytest.mark.parametrize(("encoding", "words"), [("utf-8", "UTF-8"), ("cp1252", "Windows-1252")])
def test_a_byte_that_does_not_decode(write: Write, encoding: str, words: str) -> None:
    """A row that is not of the file's encoding is named."""
    text = ("id,name\n" + "1,Müller\n" * 50_000).encode(encoding) + b"2,M\x81ller\n"

    assert complaint(write(text)) == (
        f"customers.csv: row 50002 (the header is row 1) is not {words} text; save the file as "
        "UTF-8, or declare its encoding"
    )


def test_half_a_character_of_utf_16(write: Write) -> None:
    """A file in UTF-16 that ends within a character has a broken row."""
    path = write("a,b\n1,2\n3,4".encode("utf-16") + b"x")

    assert "row 3 (the header is row 1) is not UTF-16 text" in complaint(path)


def test_a_header_that_does_not_decode(write: Write) -> None:
    """A header in another encoding than is declared is an error of its own."""
    path = write("Straße,b\n1,2\n", encoding="cp1252")

    assert complaint(path, FileForm(encoding="utf-8")).startswith(
        "customers.csv: the header is not UTF-8 text; "
    )


def test_no_text_at_all(write: Write) -> None:
    """Bytes of 0 are no text."""
    assert "is no text" in complaint(write(b"a,b\n1,\0\n"))


# ---- header ----


def test_names_are_freed_of_blanks(write: Write) -> None:
    """Blanks around names are left out, and that is said."""
    file = open_file(write(" id , name\n1,x\n"))

    assert file.columns == ("id", "name")
    assert file.notes == ["blanks around the names of columns are left out"]


def test_columns_without_a_name_get_one(write: Write) -> None:
    """The index that pandas writes, and a delimiter too much, are columns of their own."""
    file = open_file(write(",id,\n0,x,\n"))

    assert file.columns == ("Unnamed: 0", "id", "Unnamed: 2")
    assert read(file) == [["0", "x", None]]
    assert file.notes[0] == "column 1 has no name and is called 'Unnamed: 0'"


def test_doubled_names(write: Write) -> None:
    """A name that is there twice is rejected."""
    assert complaint(write("a,b,a\n1,2,3\n")) == (
        "customers.csv: has the column a more than once; keep one of each"
    )


@pytest.mark.parametrize("row", ["C1,29.85,x", "C1,No,12,No", "1,2,x"])
def test_no_header(write: Write, row: str) -> None:
    """A first row that looks like data is no header."""
    assert complaint(write(f"{row}\n{row}\n")).startswith(
        "customers.csv: has no header: its first row holds values such as "
    )


def test_years_may_be_names(write: Write) -> None:
    """Columns named by years are no data."""
    assert open_file(write("id,2023,2024\nx,1,2\n")).columns == ("id", "2023", "2024")


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\r\n\r\n"])
def test_a_header_alone(write: Write, text: str) -> None:
    """A file with a header and no customers has no rows."""
    file = open_file(write(text))

    assert (file.columns, read(file), file.row_count()) == (("a", "b"), [], 0)
    assert file.sample(5, seed=1).num_rows == 0


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file(write: Write, text: str) -> None:
    """A file with nothing in it is called empty."""
    assert complaint(write(text)) == (
        "customers.csv: is empty; it needs a header and a row for each customer"
    )


# ---- the end ----


@pytest.mark.parametrize(
    ("end", "notes"),
    [
        ("\n\n", []),
        (",,\n", ["a row of blanks at the end is left out"]),
        (',,\n "",,\r\n,,', ["3 rows of blanks at the end are left out"]),
        ("Total,7,\n", ["the last row looks like a totals row ('Total') and is left out"]),
        (
            ',,\n"Summe:","$1234.50",\n,,\n',
            [
                "the last row looks like a totals row ('Summe:') and is left out",
                "2 rows of blanks at the end are left out",
            ],
        ),
        (",SUM,12\n", ["the last row looks like a totals row ('SUM') and is left out"]),
    ],
)
def test_what_is_left_out_at_the_end(write: Write, end: str, notes: list[str]) -> None:
    """Rows of blanks and a row of totals are no customers, and it is said."""
    file = open_file(write(f"a,b,c\nx,1,\ny,2,z\n{end}"))

    assert read(file) == [["x", "1", None], ["y", "2", "z"]]
    assert (file.notes, file.row_count()) == (notes, 2)


@pytest.mark.parametrize(
    "end", ["Total,1,z\n", 'x,1,"a\n\n"\n', 'x,1,"\n,,\n,,\n"\n', "Totalia,1,\n"]
)
def test_what_stays_at_the_end(write: Write, end: str) -> None:
    """A customer that only looks a little like totals or blanks stays."""
    file = open_file(write(f"a,b,c\n{end}x,2,3\n{end}"))

    assert (len(read(file)), file.notes) == (3, [])


def test_very_many_rows_of_blanks(write: Write) -> None:
    """However many rows of blanks there are, they are left out and counted."""
    text = "a,b\n1,2\n" + "3,4\n" * 90_000 + ",\n" * 400_000

    file = open_file(write(text))

    assert (file.row_count(), file.notes) == (
        90_001,
        ["400,000 rows of blanks at the end are left out"],
    )


# ---- reading ----


def test_rows_before_a_broken_one_are_read(write: Write) -> None:
    """Full batches before a broken row come out before the error does."""
    batches = open_file(write("a,b\n" + "1,2\n" * 100_000 + "3\n")).batches(1_000)

    assert [next(batches).num_rows for _ in range(3)] == [1_000] * 3


def test_columns_are_chosen(write: Write) -> None:
    """Some columns are read, in the order that is asked for."""
    file = open_file(write("a,b,c\n1,2,3\n"))

    assert next(file.batches(1, columns=["c", "a"])).to_pylist() == [{"c": "3", "a": "1"}]
    with pytest.raises(DataError, match="lacks the column d"):
        next(file.batches(1, columns=["d"]))


def test_a_quote_that_is_never_closed(write: Write) -> None:
    """A row without an end is rejected before it fills the memory."""
    path = write('a,b\n1,"x' + "\n1,2" * 200_000)

    assert complaint(path) == (
        "customers.csv: a row is longer than 262144 bytes; is a quote never closed?"
    )


LEFT = """
import sys, pathlib, time
from churnstream.files import delimited, open_file
fast = delimited.ByteStream.read
delimited.ByteStream.read = lambda self, size=-1: time.sleep(float(sys.argv[2])) or fast(self, size)
batches = open_file.open_file(pathlib.Path(sys.argv[1])).batches(10)
print(next(batches).num_rows)
"""


@pytest.mark.parametrize("seconds", ["0", "0.05"])
def test_a_batch_left_unread_costs_nothing(write: Write, seconds: str) -> None:
    """A process that stops early ends without a word, also while the disk is still read."""
    path = write("a,b\n" + "1,2\n" * 1_000_000)

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", LEFT, str(path), seconds],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert (ran.stdout, ran.stderr) == ("10\n", "")


MEMORY = """
import resource, sys
from pathlib import Path
from churnstream.files.open_file import open_file
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
file = open_file(Path(sys.argv[1]))
print(sum(batch.num_rows for batch in file.batches(10_000)))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


BIG = {
    "big.csv.gz": b"a,b\n" + (b"x" * 998 + b",\n") * 200_000 + b"y,z\n",
    "big.jsonl.gz": b'{"a":"%s"}\n' % (b"x" * 990) * 200_001,
}


@pytest.mark.parametrize("name", BIG)
def test_memory_does_not_grow_with_the_file(write: Write, name: str) -> None:
    """A small file that unpacks to 200 MB takes a part of that."""
    path = write(gzip.compress(BIG[name], 1), name)

    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True
    )

    rows, megabytes = map(int, ran.stdout.split())
    assert rows == 200_001
    assert megabytes < 120


CELL = st.text(st.characters(codec="cp1252", exclude_characters="\r\0\ufeff"), max_size=6)
TABLE = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=12)
)


@settings(deadline=None)
@given(
    rows=TABLE,
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    size=st.integers(1, 15),
    start=st.integers(0, 15),
)
def test_any_table_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    delimiter: str,
    encoding: str,
    end: str,
    quoting: int,
    size: int,
    start: int,
) -> None:
    """Dialect and encoding change nothing, and batches of any size give the same rows."""
    names = [f"name{n}" for n in range(len(rows[0]))]
    written = [*rows, ["Ende"] * len(names)]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(  # type: ignore[arg-type]
        [names, *written]
    )
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    form = FileForm(encoding=encoding if encoding == "cp1252" else None)

    file = open_file(path, form)

    expected = [[cell or None for cell in row] for row in written]
    assert (file.columns, file.form.delimiter) == (tuple(names), delimiter)
    assert read(file, size, start) == expected[start:]
    assert file.row_count() == len(expected)


@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_file_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Whatever is in a file, it is read or rejected in one line."""
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    try:
        read(open_file(path))
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017

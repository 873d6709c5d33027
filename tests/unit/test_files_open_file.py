import bz2
import gzip
import hashlib
import io
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from churnstream.errors import DataError
from churnstream.files import file_format
from churnstream.files.file_form import FORMATS, FileForm
from churnstream.files.open_file import open_file

CSV = b"id,n\nC1,1\nC2,2\n"
ROWS = [{"id": "C1", "n": "1"}, {"id": "C2", "n": "2"}]


def zipped(**members: bytes) -> bytes:
    """A zip with some files in it, whose names have dots for double underscores."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, its in members.items():
            archive.writestr(name.replace("__", "."), its)
    return content.getvalue()


def complaint(path: Path, content: bytes | None = None, form: FileForm | None = None) -> str:
    """The error that opening and reading a file ends in, its folder left out."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_file(path, form or FileForm()).row_count()
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: bytes(pa.compress(content, "zstd", asbytes=True)),
    ".zip": lambda content: zipped(customers__csv=content),
}


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("name", ["customers.csv{}", "CUSTOMERS{}", "customers.csv"])
def test_compressed_files(tmp_path: Path, suffix: str, name: str) -> None:
    """A compressed file reads like the file inside, also where its name does not say so."""
    path = tmp_path / name.format(suffix)
    path.write_bytes(PACKERS[suffix](CSV))

    file = open_file(path)

    assert next(file.batches(10)).to_pylist() == ROWS
    assert file.digest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_compressed_file_in_parts(tmp_path: Path) -> None:
    """A gzip file of several members is one file."""
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(CSV[:8]) + gzip.compress(CSV[8:]))

    assert open_file(tmp_path / "c.csv.gz").row_count() == 2


@pytest.mark.parametrize("suffix", PACKERS)
def test_damaged_compressed_files(tmp_path: Path, suffix: str) -> None:
    """Only the first part of a compressed file is said to be damaged."""
    whole = PACKERS[suffix](CSV + os.urandom(200).hex().encode())

    message = complaint(tmp_path / f"c.csv{suffix}", whole[: len(whole) // 2])

    assert message == (
        f"c.csv{suffix}: is damaged, or only the first part of a file; fetch or compress it again"
    )


def test_not_compressed_at_all(tmp_path: Path) -> None:
    """A name that says gzip and a content that does not are a damaged file."""
    assert complaint(tmp_path / "c.csv.gz", CSV) == (
        "c.csv.gz: is no gzip file or a damaged one; fetch or compress it again"
    )


def test_what_a_mac_adds_to_a_zip_is_no_data(tmp_path: Path) -> None:
    """Hidden files in a zip do not count."""
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._a.csv", b"x")
        archive.writestr(".DS_Store", b"x")
        archive.writestr("a.csv", CSV)

    assert open_file(path).row_count() == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped(a__csv=CSV, b__csv=CSV), "must hold one file, and holds a.csv, b.csv; unpack it"),
        (
            zipped(**{f"{n}__csv": CSV for n in range(8)}),
            "must hold one file, and holds 0.csv, 1.csv, 2.csv, 3.csv, 4.csv and 3 more; unpack",
        ),
        (b"PK\x03\x04", "is damaged"),
        (zipped(a__csv=gzip.compress(CSV)), "is packed twice; unpack it once"),
        (zipped(a__parquet=b"PAR1"), "holds a Parquet file, which is packed in itself"),
    ],
)
def test_zips_that_are_not_read(tmp_path: Path, content: bytes, says: str) -> None:
    """A zip with anything else than one file of text is rejected by what it holds."""
    assert says in complaint(tmp_path / "c.zip", content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%PDF-1.7\n", "is a PDF document; export its table as CSV"),
        (b"\n<!DOCTYPE html><html>", "is an HTML page; was a login or error page downloaded"),
        (b"<html>", "is an HTML page"),
        (b'<?xml version="1.0"?>', "is an XML file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "save it as .xlsx"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b"ARROW1\0\0", "is a binary file of a format that is not read here"),
        (b"{\\rtf1", "is a text document (RTF)"),
        (b"\x89PNG\r\n", "is a picture"),
        (b"Rar!\x1a", "is an archive"),
        (zipped(mimetype=b"application/vnd.oasis"), "is a document in a zip"),
        (zipped(**{"[Content_Types]__xml": b"<x/>", "xl/workbook__xml": b""}), "an Excel workbook"),
        (b"PAR1", "is a Parquet file, and its name says a text file; name it as what it is"),
        (b'{"id": 1}\n', "is a JSON Lines file, and its name says a text file"),
        (b"", "is empty"),
    ],
)
def test_strangers(tmp_path: Path, content: bytes, says: str) -> None:
    """A file that is something else than its name says is told what it is and what to do."""
    assert says in complaint(tmp_path / "customers.csv", content)


@pytest.mark.parametrize("name", ["c.parquet", "c.xlsx"])
def test_text_with_the_name_of_a_binary_file(tmp_path: Path, name: str) -> None:
    """A text is not read under another name, unless the format is declared."""
    assert "is a text file, and its name says a" in complaint(tmp_path / name, CSV)
    assert open_file(tmp_path / name, FileForm(format="csv")).row_count() == 2


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


def test_a_pipe(tmp_path: Path) -> None:
    """A pipe can be read but once, and is rejected without waiting for it."""
    os.mkfifo(tmp_path / "pipe.csv")

    assert complaint(tmp_path / "pipe.csv") == (
        "pipe.csv: is no file but a pipe or a device; write it to a file first"
    )


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    """A file that is gone when it is read is named like one that never was."""
    path = tmp_path / "c.csv"
    path.write_bytes(CSV)
    file = open_file(path)
    path.unlink()

    for use in (file.digest, file.row_count, lambda: list(file.batches(1))):
        with pytest.raises(DataError, match=r"c\.csv: cannot be read: "):
            use()


def test_a_sample_keeps_to_its_limit_and_seed(tmp_path: Path) -> None:
    """A sample has no row twice, is in the file's order, and depends on the seed alone."""
    path = tmp_path / "c.csv"
    path.write_text("id,n\n" + "".join(f"{n},x\n" for n in range(20_000)))
    file = open_file(path)
    first, again, other = (file.sample(300, seed) for seed in (1, 1, 2))

    ids = [int(text) for text in first["id"].to_pylist()]
    assert (len(set(ids)), ids) == (300, sorted(ids))
    assert first == again != other
    assert (file.name, file.row_name(3)) == ("c.csv", "row 5 (the header is row 1)")


def test_every_format_has_a_suffix_and_a_name() -> None:
    """Whatever can be declared is found by its name as well, and can be spoken of."""
    assert {*file_format._SUFFIXES.values()} == file_format._WORDS.keys() == {*FORMATS}

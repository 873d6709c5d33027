"""Parquet files that hold far more than they seem to, and their pages, which tell it beforehand."""

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from churnstream.files.open_file import open_file
from churnstream.files.parquet_pages import pages

LONG = "a" * 100_000_000
NUMBERS = pa.array([0] * 30_000, pa.int32())
READ = """
import resource, sys
from pathlib import Path
from churnstream.files.open_file import open_file
from churnstream.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(sum(batch.num_rows for batch in open_file(Path(sys.argv[1])).batches(10_000)), "rows")
except DataError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
HOSTILE: dict[str, tuple[Callable[[], pa.Array], dict[str, Any], str]] = {
    "a long value": (lambda: pa.array([LONG, "x"]), {}, "has a page of 100,0"),
    "a long value, packed": (
        lambda: pa.array(["x", LONG]),
        {"compression": "zstd", "use_dictionary": False},
        "the column plan in row group 1 has a page of 100,0",
    ),
    "one that is just too long": (
        lambda: pa.array(["x", "a" * 262_144]),
        {},
        "row 2 has 262,1",
    ),
    "a page of long values": (
        lambda: pa.array([f"{n}" * 300_000 for n in range(2)]),
        {"use_dictionary": False},
        "the column plan in row group 1 has a row of over 262,144 bytes",
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
        {"use_dictionary": False, "column_encoding": {"plan": "DELTA_BYTE_ARRAY"}},
        "is encoded as DELTA_BYTE_ARRAY",
    ),
    "an endless list": (
        lambda: pa.ListArray.from_arrays([0, 0, 20_000_000], pa.nulls(20_000_000, pa.int8())),
        {},
        "2 rows",
    ),
    "long bytes": (lambda: pa.array([LONG.encode(), b""]), {}, "2 rows"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_parquet_file_holds_no_more_than_memory(tmp_path: Path, case: str) -> None:
    """Whatever a small file unpacks to: bounded memory, and one line that names row or column."""
    make, options, says = HOSTILE[case]
    column = make()
    path = tmp_path / "hostile.parquet"
    parquet.write_table(pa.table({"id": ["C1"] * len(column), "plan": column}), path, **options)

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
    kind=st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]),
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
    parquet.write_table(
        pa.table({"id": ["C1"] * len(texts), "plan": pa.array(texts, kind)}),
        path,
        row_group_size=70,
        data_page_size=page,
        write_batch_size=7,
        compression=compression,
        use_dictionary=encoding is None,
        column_encoding={"plan": encoding} if encoding else None,
        data_page_version=version,
    )

    found = [text for batch in open_file(path).batches(size) for text in batch["plan"]]

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

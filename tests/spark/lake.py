"""Customers by the hundred thousand, some of them broken, and what batch-predict makes of them."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from churnstream.codecs.customer_rows import BUNDLED

RESULT = ["churn_probability", "prediction", "model_version", "error"]
FILES = 16


class Lake(NamedTuple):
    """Customers in a folder of files, and as they are scored on one machine.

    Attributes:
        scored: The result columns, by the number of the row.
        said: What batch-predict said of them.
    """

    folder: Path
    scored: pa.Table
    said: str


def customers(rows: int) -> pa.Table:
    """The bundled customers again and again under other IDs, with other charges; 1 of 97 is broken.

    Broken are categories, numbers out of bounds, missing ones, and IDs of blanks.
    """
    random = np.random.default_rng(16)
    found = csv.read_csv(BUNDLED)
    table = found.take(pa.array(random.integers(0, found.num_rows, rows)))
    ids = np.array([f"{n:07}-SPARK" for n in range(rows)], dtype=object)
    ids[97 * 40 :: 97 * 50] = "  "
    charges = np.round(random.uniform(18, 120, rows), 2)
    charges[97 * 2 :: 97 * 5] = -1
    contracts = table["Contract"].to_numpy(zero_copy_only=False).astype(object)
    contracts[97 :: 97 * 5] = "Weekly"
    tenure = table["tenure"].to_numpy().astype(object)
    tenure[97 * 3 :: 97 * 5] = None
    columns = {
        "customerID": pa.array(ids),
        "MonthlyCharges": pa.array(charges),
        "Contract": pa.array(contracts),
        "tenure": pa.array(tenure, pa.int64()),
    }
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table.append_column("row", pa.array(np.arange(rows)))


def write_lake(table: pa.Table, folder: Path) -> None:
    """The rows as a folder of files, as a lake has them."""
    folder.mkdir(parents=True)
    size = -(-table.num_rows // FILES)
    for n in range(FILES):
        parquet.write_table(table.slice(n * size, size), folder / f"part-{n:03}.parquet")


def results(place: Path) -> pa.Table:
    """The result columns of a scored file or folder, in the order of the rows' numbers."""
    found = parquet.read_table(place, columns=["row", *RESULT])
    types = [pa.int64(), pa.float64(), pa.string(), pa.string(), pa.string()]
    table = found.cast(pa.schema(list(zip(found.schema.names, types, strict=True))))
    return table.sort_by("row").combine_chunks()


def churnstream(*words: object) -> str:
    """Run a command of the product; its output."""
    command = [sys.executable, "-m", "churnstream", *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

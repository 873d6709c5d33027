"""Customers by the hundred thousand, some of them broken, and what batch-predict makes of them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from documents import ROOT

BUNDLED = ROOT / "src" / "churnstream" / "data" / "customers.csv.gz"
RESULT = ["churn_probability", "prediction", "model_version", "error"]
FILES = 16


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
    contracts[97::97 * 5] = "Weekly"
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
    """The result columns of a scored file or folder, by the number of the row, as texts have it."""
    found = parquet.read_table(place, columns=["row", *RESULT])
    row = found["row"].cast(pa.int64())
    table = found.set_column(0, "row", row).take(pc.sort_indices(row)).combine_chunks()
    return table.cast(pa.schema([("row", pa.int64()), (RESULT[0], pa.float64()),
                                 *((name, pa.string()) for name in RESULT[1:])]))

"""A file of customers scored into a file, without a broker."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from churnstream import safe_files
from churnstream.codecs.customer_rows import CustomerRows
from churnstream.codecs.event_encoder import decode_rows
from churnstream.errors import DataError
from churnstream.files.table_writer import writer_of
from churnstream.model.predict import says
from churnstream.model.scorer import Model
from churnstream.records.rejection import Rejection, RejectionCount, not_scorable

_ROWS = 10_000


def score_file(
    model: Model, rows: CustomerRows, target: Path, on_rows: Callable[[int], None] = lambda _: None
) -> tuple[int, RejectionCount]:
    """Write the rows of a file with their predictions, in bounded memory.

    The target appears when it is whole; a file of that name is replaced.

    Args:
        target: CSV, Parquet or Excel, by its suffix.
        on_rows: Told how many rows are done.

    Returns:
        How many rows were scored, and why the others were not.

    Raises:
        ConfigurationError: The target is of no known format.
        DataError: It cannot be written.
    """
    columns = rows.file.columns
    if taken := [field.name for field in _RESULT if field.name in columns]:
        raise DataError(
            f"{rows.file.path}: has the column {taken[0]} already, where the result goes; rename it"
        )
    schema = pa.schema([(name, pa.string()) for name in columns] + list(_RESULT))
    writer_type = writer_of(target)
    done, rejected = 0, RejectionCount()
    try:
        with safe_files.replacing(target) as file, writer_type(file, schema) as writer:
            for batch in rows.file.batches(_ROWS):
                results, rejections = _score_rows(model, rows.select(batch))
                written = [*batch.columns, *results]
                writer.write_batch(pa.RecordBatch.from_arrays(written, schema=schema))
                for row, rejection in rejections.items():
                    rejected.add(rejection, rows.file.row_name(done + row))
                done += batch.num_rows
                on_rows(done)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from error
    return done - rejected.total, rejected


_RESULT = (
    pa.field("churn_probability", pa.float64()),
    pa.field("prediction", pa.string()),
    pa.field("model_version", pa.string()),
    pa.field("error", pa.string()),
)


def _score_rows(model: Model, batch: pa.RecordBatch) -> tuple[list[pa.Array], dict[int, Rejection]]:
    """The result columns of a batch, and its rejected rows by their numbers in it."""
    rows = decode_rows(batch, model.schema, datetime.now(UTC), model.decode)
    rejected = {i: row for i, row in enumerate(rows) if isinstance(row, Rejection)}
    events = {i: row for i, row in enumerate(rows) if not isinstance(row, Rejection)}
    probabilities = dict(zip(events, model.score([*events.values()]).tolist(), strict=True))
    for i, p in probabilities.items():
        if not 0 <= p <= 1:
            rejected[i] = not_scorable(p)
    scored = [None if i in rejected else probabilities[i] for i in range(len(rows))]
    said = [None if p is None else says(p, model) for p in scored]
    versions = [None if p is None else model.version for p in scored]
    errors = [str(rejected[i]) if i in rejected else None for i in range(len(rows))]
    columns: tuple[list[Any], ...] = (scored, said, versions, errors)
    pairs = zip(_RESULT, columns, strict=True)
    return [pa.array(values, field.type) for field, values in pairs], rejected

"""A file of customers scored into a file, without a broker."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from churnstream import safe_files
from churnstream.codecs.customer_rows import CustomerRows
from churnstream.codecs.event_encoder import decode_rows
from churnstream.errors import DataError
from churnstream.files.table_writer import writer_of
from churnstream.model.result_columns import RESULT, ROWS_AT_ONCE, check_free, result_columns
from churnstream.model.scorer import Model
from churnstream.records.rejection import RejectionCount


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
    check_free(columns, rows.file.path)
    schema = pa.schema([(name, pa.string()) for name in columns] + list(RESULT))
    writer_type = writer_of(target)
    done, rejected = 0, RejectionCount()
    try:
        with safe_files.replacing(target) as file, writer_type(file, schema) as writer:
            for batch in rows.file.batches(ROWS_AT_ONCE):
                selected = rows.select(batch)
                events = decode_rows(selected, model.schema, datetime.now(UTC), model.decode)
                results, rejections = result_columns(model, events)
                written = [*batch.columns, *results]
                writer.write_batch(pa.RecordBatch.from_arrays(written, schema=schema))
                for row, rejection in rejections.items():
                    rejected.add(rejection, rows.file.row_name(done + row))
                done += batch.num_rows
                on_rows(done)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from error
    return done - rejected.total, rejected

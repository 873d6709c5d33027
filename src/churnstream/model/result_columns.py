"""What scoring adds to rows of customers: the columns, and rows of Arrow with them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from churnstream.codecs.customer_rows import rows_in
from churnstream.codecs.event_encoder import decode_rows
from churnstream.errors import DataError
from churnstream.files.file_form import FileForm
from churnstream.files.typed_text import as_in_parquet
from churnstream.model.scorer import Model
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection, not_scorable
from churnstream.schema.record_types import Event

ROWS_AT_ONCE = 10_000
RESULT = (
    pa.field("churn_probability", pa.float64()),
    pa.field("prediction", pa.string()),
    pa.field("model_version", pa.string()),
    pa.field("error", pa.string()),
)
"""The columns of a scored row: the first three where there is a prediction, else `error`."""


def check_free(columns: Sequence[str], where: object) -> None:
    """Make sure that nothing stands yet where the result goes.

    Raises:
        DataError: Something does.
    """
    if taken := [field.name for field in RESULT if field.name in columns]:
        raise DataError(
            f"{where}: has the column {taken[0]} already, where the result goes; rename it"
        )


def result_columns(
    model: Model, rows: Sequence[Event | PassedOver | Rejection]
) -> tuple[list[pa.Array], dict[int, Rejection]]:
    """The columns of `RESULT` for rows, (n,) each.

    Returns:
        The columns, and the rejected rows by their numbers.
    """
    rejected = {i: row for i, row in enumerate(rows) if isinstance(row, Rejection)}
    errors = {i: str(row) for i, row in enumerate(rows) if isinstance(row, PassedOver)}
    good = [i for i in range(len(rows)) if i not in rejected and i not in errors]
    scored = np.full(len(rows), np.nan)
    for i, p in zip(good, model.score([rows[i] for i in good]).tolist(), strict=True):
        if 0 <= p <= 1:  # NaN is neither
            scored[i] = p
        else:
            rejected[i] = not_scorable(p)
    errors |= {i: str(why) for i, why in rejected.items()}
    is_none = np.isnan(scored)
    says = np.where(scored >= model.threshold, "Yes", "No")
    return [
        pa.array(scored, mask=is_none),
        pa.array(says, pa.string(), mask=is_none),
        pa.array(np.full(len(rows), model.version), pa.string(), mask=is_none),
        pa.array(map(errors.get, range(len(rows))), pa.string()),
    ], rejected


def score_batch(model: Model, batch: pa.RecordBatch, form: FileForm) -> Iterator[pa.RecordBatch]:
    """Rows with `RESULT`, in their order, in pieces that memory can hold; nothing for no row.

    Args:
        batch: Columns of any type, under the schema's names or such as are alike.
        form: The marks within numbers that are texts.

    Raises:
        DataError: It lacks a column, or has one of the result already.
    """
    check_free(batch.schema.names, "the frame")
    rows = rows_in(as_in_parquet(batch, form), model.schema)
    schema = pa.schema([*batch.schema, *RESULT])
    begin = 0
    for part in rows.batches(ROWS_AT_ONCE):
        events = decode_rows(part, model.schema, datetime.now(UTC), model.decode)
        own = batch.slice(begin, part.num_rows)
        added, _ = result_columns(model, events)
        yield pa.RecordBatch.from_arrays([*own.columns, *added], schema=schema)
        begin += part.num_rows

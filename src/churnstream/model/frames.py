"""Tables in memory as events: the same values mean the same as in a file."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from churnstream.codecs.event_encoder import decode_rows
from churnstream.errors import DataError
from churnstream.files.column_names import match_names
from churnstream.files.typed_text import as_texts
from churnstream.model.quality import Array
from churnstream.model.scorer import Model
from churnstream.records.rejection import Rejection, not_scorable
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema


def events_in(model: Model, table: pa.Table) -> list[Event | Rejection]:
    """The events that the rows of a table stand for, or why there is none.

    Args:
        table: Columns of any type, under the schema's names or such as are alike. Without the ID's
            column the rows are numbered.

    Raises:
        DataError: It lacks a column.
    """
    schema = model.schema
    batch = _named(schema, as_texts(table), table.num_rows)
    return decode_rows(batch, schema, datetime.now(UTC), model.decode)


def score_table(model: Model, table: pa.Table) -> tuple[Array, list[Event | Rejection]]:
    """Probabilities of churn, (n,), NaN for rows that cannot be scored; and the rows as events.

    A row to which the model gives no probability is none that can be scored.
    """
    rows = events_in(model, table)
    good = [i for i, row in enumerate(rows) if not isinstance(row, Rejection)]
    found = np.full(len(rows), np.nan)
    for i, probability in zip(good, model.score([rows[i] for i in good]).tolist(), strict=True):
        if 0 <= probability <= 1:
            found[i] = probability
        else:
            rows[i] = not_scorable(probability)
    return found, rows


def _named(schema: Schema, batch: pa.RecordBatch, rows: int) -> pa.RecordBatch:
    names = match_names([n for n in schema.columns if n != schema.id], batch.schema.names)
    columns = {name: batch[own] for name, own in names.items()}
    try:
        columns[schema.id] = batch[match_names([schema.id], batch.schema.names)[schema.id]]
    except DataError:
        columns[schema.id] = pa.array([str(number) for number in range(rows)])
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

"""Scoring without a broker: single customers as JSON, and files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from churnstream import safe_files
from churnstream.codecs.customer_rows import CustomerRows
from churnstream.codecs.event_encoder import decode_rows
from churnstream.errors import DataError
from churnstream.files.table_writer import writer_of
from churnstream.model.result_columns import RESULT, ROWS_AT_ONCE, check_free, result_columns
from churnstream.model.scorer import Model
from churnstream.records.rejection import UNDECODABLE, Rejection, RejectionCount, not_scorable
from churnstream.schema.record_types import Event
from churnstream.schema.values import plain


def split_customers(text: bytes) -> Iterator[bytes]:
    """The JSON of each customer in an object, an array, or an object a line."""
    stripped = text.strip()
    with suppress(*UNDECODABLE):
        if stripped.startswith(b"["):
            yield from (bytes(raw) for raw in msgspec.json.decode(stripped, type=list[msgspec.Raw]))
            return
        msgspec.json.decode(stripped, type=msgspec.Raw)
        yield stripped
        return
    yield from (line for line in stripped.splitlines() if line.strip())


def score_one_by_one(
    model: Model, texts: Iterable[bytes]
) -> Iterator[dict[str, object] | Rejection]:
    """Score customers given as JSON; `event_ts` may be missing, for now.

    Args:
        texts: One JSON object each.

    Yields:
        Of each the customer's ID, `churn_probability`, `prediction` and `model_version`.
    """
    for text in texts:
        event = _decode(text, model)
        if isinstance(event, Rejection):
            yield event
            continue
        probability = float(model.score([event])[0])
        if 0 <= probability <= 1:
            yield {
                model.schema.id: model.schema.id_of(event),
                "churn_probability": probability,
                "prediction": _says(probability, model),
                "model_version": model.version,
            }
        else:
            yield not_scorable(probability)


def _says(probability: float, model: Model) -> Literal["Yes", "No"]:
    return "Yes" if probability >= model.threshold else "No"


def _decode(text: bytes, model: Model) -> Event | Rejection:
    decode = model.decode
    try:
        customer = msgspec.json.decode(text)
    except UNDECODABLE:
        return decode(text, None)
    if not isinstance(customer, dict):
        return decode(text, None)
    if "event_ts" not in customer:
        now = datetime.now(UTC).isoformat().encode()
        comma = b"," if customer else b""
        text = text.rstrip()[:-1] + comma + b'"event_ts":"' + now + b'"}'
    name = plain(customer.get(model.schema.id))
    return decode(text, (name or "").encode("utf-8", "surrogatepass"))


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

"""Scoring without a broker: single customers as JSON, and files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
from pyarrow import csv, parquet

from churnstream import safe_files
from churnstream.codecs.events import EventDecoder
from churnstream.codecs.rows import decode_rows
from churnstream.errors import DataError
from churnstream.files.dataset import Dataset
from churnstream.model.scorer import Model
from churnstream.records.rejection import Rejection, RejectionCount, UNDECODABLE, not_scorable
from churnstream.schema.record_types import Event

_ROWS = 10_000


class Scored(msgspec.Struct, frozen=True):
    """The answer for one customer."""

    customerID: str  # noqa: N815  # the data set's own name
    churn_probability: float
    prediction: Literal["Yes", "No"]
    model_version: str


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


def score_one_by_one(model: Model, texts: Iterable[bytes]) -> Iterator[Scored | Rejection]:
    """Score customers given as JSON; `event_ts` may be missing, for now.

    Args:
        texts: One JSON object each.
    """
    for text in texts:
        event = _decode(text, model.decode)
        if isinstance(event, Rejection):
            yield event
            continue
        probability = float(model.score([event])[0])
        if 0 <= probability <= 1:
            yield Scored(event.customerID, probability, _says(probability, model), model.version)
        else:
            yield not_scorable(probability)


def _says(probability: float, model: Model) -> Literal["Yes", "No"]:
    return "Yes" if probability >= model.threshold else "No"


def _decode(text: bytes, decode: EventDecoder) -> Event | Rejection:
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
    return decode(text, str(customer.get("customerID")).encode())


def score_file(
    model: Model, dataset: Dataset, target: Path, on_rows: Callable[[int], None] = lambda _: None
) -> tuple[int, RejectionCount]:
    """Write the rows of a file with their predictions, in bounded memory.

    The target appears when it is whole; a file of that name is replaced.

    Args:
        target: CSV or Parquet, by its suffix.
        on_rows: Told how many rows are done.

    Returns:
        How many rows were scored, and why the others were not.

    Raises:
        DataError: The target is of no known format or cannot be written.
    """
    schema = pa.schema([(name, pa.string()) for name in dataset.columns] + list(_RESULT))
    writer_type = _writer_of(target)
    done, rejected = 0, RejectionCount()
    try:
        with safe_files.replacing(target) as file, writer_type(file, schema) as writer:
            for batch in dataset.batches(_ROWS):
                results, rejections = _score_rows(model, batch)
                columns = [*batch.columns, *results]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
                for row, rejection in rejections.items():
                    rejected.add(rejection, dataset.row_name(done + row))
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


def _writer_of(target: Path) -> Callable[..., AbstractContextManager[Any]]:
    suffix = target.suffix.lower()
    if suffix == ".csv":
        return csv.CSVWriter  # type: ignore[no-any-return]
    if suffix in (".parquet", ".pq"):
        return parquet.ParquetWriter  # type: ignore[no-any-return]
    raise DataError(f"{target}: is of no known format; its name must end in .csv, .parquet or .pq")


def _score_rows(model: Model, batch: pa.RecordBatch) -> tuple[list[pa.Array], dict[int, Rejection]]:
    """The result columns of a batch, and its rejected rows by their numbers in it."""
    rows = decode_rows(batch, datetime.now(UTC), model.decode)
    rejected = {i: row for i, row in enumerate(rows) if isinstance(row, Rejection)}
    events = {i: row for i, row in enumerate(rows) if isinstance(row, Event)}
    probabilities = dict(zip(events, model.score([*events.values()]).tolist(), strict=True))
    for i, p in probabilities.items():
        if not 0 <= p <= 1:
            rejected[i] = not_scorable(p)
    scored = [None if i in rejected else probabilities[i] for i in range(len(rows))]
    says = [None if p is None else _says(p, model) for p in scored]
    versions = [None if p is None else model.version for p in scored]
    errors = [str(rejected[i]) if i in rejected else None for i in range(len(rows))]
    columns: tuple[list[Any], ...] = (scored, says, versions, errors)
    pairs = zip(_RESULT, columns, strict=True)
    return [pa.array(values, field.type) for field, values in pairs], rejected

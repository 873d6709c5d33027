"""DataFrames of Spark with predictions beside what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

from churnstream.api import ChurnModel
from churnstream.codecs.source_records import Arrived
from churnstream.errors import ConfigurationError, DataError
from churnstream.files.column_names import match_names
from churnstream.model.checks import check_reference
from churnstream.model.result_columns import RESULT, check_free, result_columns
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Batches = Iterable[pa.RecordBatch]
Scored = Iterator[pa.RecordBatch]

_FRAME = "the frame"
_WORKER = Path("the model on a worker of Spark")
_OF_A_RECORD = ("key", "value", "timestamp")
_RESULT_TYPES = [
    StructField(field.name, DoubleType() if field.type == pa.float64() else StringType())
    for field in RESULT
]


def score(
    frame: DataFrame, model: ChurnModel, *, decimal: str = ".", thousands: str = ""
) -> DataFrame:
    """Customers with their predictions, as `churnstream batch-predict` gives them.

    Args:
        frame: A row each, of a batch or of a stream; the columns that the schema names, and any
            others.
        decimal: The decimal sign of numbers that are texts, "." or ",".
        thousands: What stands between their thousands: ".", ",", "'", " " or "" for nothing.

    Returns:
        The same rows and columns, and `churn_probability`, `prediction`, `model_version` and
        `error`: a row that cannot be scored is there all the same, and says why.

    Raises:
        DataError: It lacks a column, or has one of the result already.
    """
    check_free(frame.columns, _FRAME)
    try:
        match_names(model.schema.columns, frame.columns)
    except DataError as error:
        raise DataError(f"{_FRAME}: {error}") from error
    return _mapped(frame, _CustomerRows(model, decimal, thousands), [])


def score_events(frame: DataFrame, model: ChurnModel) -> DataFrame:
    """Records of Kafka with their predictions, decoded as a consumer does it.

    Args:
        frame: What Spark's Kafka source gives, of a batch or of a stream: `key`, `value`,
            `timestamp`, and `headers` where the schema's `source` takes CloudEvents.

    Returns:
        The same rows and columns, the customer's ID under the schema's name, and what `score` adds.
        A record that holds no customer by the source's rules has the error `passed over: …`.

    Raises:
        DataError: It lacks a column, or has one of the result already.
        ConfigurationError: The events take a schema registry.
    """
    source, own_id = model.schema.source, model.schema.id
    if source and source.format != "json":
        raise ConfigurationError(
            f"events in {source.format} are not read on Spark; score them with: churnstream consume"
        )
    if missing := [name for name in _OF_A_RECORD if name not in frame.columns]:
        raise DataError(f"{_FRAME}: lacks the column {missing[0]} of Spark's Kafka source")
    if own_id in frame.columns:
        raise DataError(f"{_FRAME}: has the column {own_id} already, where the ID goes; rename it")
    check_free(frame.columns, _FRAME)
    return _mapped(frame, _CustomerEvents(model), [StructField(own_id, StringType())])


def _mapped(
    frame: DataFrame, scored: Callable[[Batches], Scored], more: list[StructField]
) -> DataFrame:
    return frame.mapInArrow(scored, StructType([*frame.schema.fields, *more, *_RESULT_TYPES]))


@dataclass(frozen=True)
class _CustomerRows:
    """Goes to the workers, where the model has to prove itself: other libraries may be there."""

    model: ChurnModel
    decimal: str
    thousands: str

    def __call__(self, batches: Batches) -> Scored:
        check_reference(self.model.model, _WORKER)
        yield from self.model.score_batches(
            map(_in_utc, batches), decimal=self.decimal, thousands=self.thousands
        )


@dataclass(frozen=True)
class _CustomerEvents:
    """The same for records of Kafka."""

    model: ChurnModel

    def __call__(self, batches: Batches) -> Scored:
        check_reference(self.model.model, _WORKER)
        schema = self.model.schema
        for batch in batches:
            rows = _decoded(self.model, batch)
            ids = [
                None if isinstance(row, PassedOver | Rejection) else schema.id_of(row)
                for row in rows
            ]
            added, _ = result_columns(self.model.model, rows)
            fields = [*batch.schema, pa.field(schema.id, pa.string()), *RESULT]
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, pa.array(ids, pa.string()), *added], schema=pa.schema(fields)
            )


def _decoded(model: ChurnModel, batch: pa.RecordBatch) -> list[object]:
    """Of each record its event, by which rule it is passed over, or why there is none."""
    decode = model.model.decode
    values, keys = batch["value"].to_pylist(), batch["key"].to_pylist()
    if decode.source is None:
        return [*decode.batch(values, keys)]
    times = pc.cast(pc.cast(batch["timestamp"], pa.timestamp("ms"), safe=False), pa.int64())
    return [*decode.batch_of(list(map(Arrived, values, keys, times.to_pylist(), _headers(batch))))]


def _headers(batch: pa.RecordBatch) -> list[list[tuple[str, bytes | None]]]:
    if "headers" not in batch.schema.names:
        return [[]] * batch.num_rows
    found = batch["headers"].to_pylist()
    return [[(header["key"], header["value"]) for header in headers or []] for headers in found]


def _in_utc(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Spark gives times in the zone of its session, files have them in UTC: a date is the same."""
    fields = [
        pa.field(field.name, pa.timestamp(field.type.unit, "UTC"))
        if pa.types.is_timestamp(field.type) and field.type.tz
        else field
        for field in batch.schema
    ]
    return batch.cast(pa.schema(fields))

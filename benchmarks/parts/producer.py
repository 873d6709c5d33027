"""The producer's batch mode against ready-made bytes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from benchmarks.bench import Bench
from benchmarks.events import SCHEMA, create_topic, delete_topics
from benchmarks.processes import Command, Report, Task, measure, python
from benchmarks.rounds import Line, Run, rounds
from churnstream.codecs.customer_rows import open_rows
from churnstream.settings import ProducerSettings

_OURS = python("benchmarks.workers.producer")
_BYTES = python("benchmarks.workers.ready_made")
_BATCH = ProducerSettings().batch_size


def run(bench: Bench) -> list[Line]:
    """Sends to a new topic each time."""
    file = customers(bench.folder / "customers.parquet", bench.stock)
    flow = partial(_one, bench, file)
    contestants: dict[str, Run] = {}
    if not bench.quick:
        contestants["ready-made bytes, flush per batch"] = partial(flow, _BYTES, "flush")
        contestants["ready-made bytes, no pause"] = partial(flow, _BYTES, "stream")
    if bench.broker.kind == "kafka":
        contestants["ready-made bytes, transaction per batch"] = partial(
            flow, _BYTES, "transaction"
        )
    contestants["churnstream, batch mode"] = partial(flow, _OURS, "batch")
    return rounds(contestants, bench.repeats)


def customers(path: Path, count: int) -> Path:
    """A file with the bundled customers over and over."""
    rows = pa.Table.from_batches(open_rows(None, SCHEMA).batches(10_000))
    times = count // rows.num_rows + 1
    parquet.write_table(pa.concat_tables([rows] * times).slice(0, count), path)
    return path


def _one(bench: Bench, file: Path, command: Command, variant: str) -> Report:
    topic = create_topic(bench.broker, "in")
    checkpoints = create_topic(bench.broker, "places", 1)
    task = Task(
        broker=bench.broker.address,
        input=topic,
        output=checkpoints,
        dataset=str(file),
        variant=variant,
        batch_size=_BATCH,
        warmup=bench.warmup,
        events=bench.events,
    )
    try:
        return measure(command, task)
    finally:
        delete_topics(bench.broker, [topic, checkpoints])

"""What customers of other shapes than the bundled ones cost, and models with pairs and of trees."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import NamedTuple

import msgspec
import pyarrow as pa

from benchmarks.bench import Bench
from benchmarks.customers import events_of, mixed, numbers_alone, rows_of, train_on
from benchmarks.events import SCHEMA, create_topic, delete_topics, fill
from benchmarks.parts.throughput import OURS, one
from benchmarks.rounds import Line, Run, rounds, say
from churnstream.codecs.customer_rows import open_rows
from churnstream.model.kinds import Kind
from churnstream.schema.schema import Schema

_REASONS = ("none", "top")
_BUNDLED = 7_000


class Shape(msgspec.Struct, frozen=True):
    """How fast the events of one schema are scored by one kind of model.

    Attributes:
        bytes: Of an event, on average.
        reasons: Which predictions get reasons.
    """

    name: str
    kind: Kind
    bytes: float
    reasons: str
    line: Line

    @property
    def rate(self) -> float:
        """Events a second."""
        return median(self.line.rates)


class _Case(NamedTuple):
    name: str
    schema: Schema
    rows: pa.RecordBatch
    kinds: tuple[Kind, ...]


def run(bench: Bench) -> list[Shape]:
    """All of them in turn, without reasons and with them."""
    with ExitStack() as topics:
        contestants: dict[str, Run] = {}
        about: dict[str, tuple[str, Kind, float, str]] = {}
        for case in _cases():
            events = events_of(case.schema, case.rows)
            size = sum(map(len, events.values)) / len(events.values)
            topic = create_topic(bench.broker, "in")
            topics.callback(delete_topics, bench.broker, [topic])
            say(f"filling a topic with {bench.stock:,} events of {size:.0f} bytes")
            fill(bench.broker, topic, events, bench.stock)
            for kind in case.kinds:
                folder = bench.folder / f"{case.name} {kind}"
                model = str(train_on(case.schema, case.rows, folder, kind))
                for reasons in _REASONS:
                    name = f"{case.name}, {kind}, reasons {reasons}"
                    contestants[name] = partial(
                        one, bench, topic, OURS, model=model, reasons=reasons
                    )
                    about[name] = (case.name, kind, size, reasons)
        lines = rounds(contestants, bench.repeats)
    return [Shape(*about[line.name], line) for line in lines]


def _cases() -> list[_Case]:
    telco = next(open_rows(None, SCHEMA).batches(_BUNDLED))
    made = {"20 numbers": numbers_alone(20), "60 mixed fields": mixed(60)}
    return [
        _Case("bundled customers", SCHEMA, telco, ("sum", "pairs", "trees")),
        *(_Case(name, schema, rows_of(schema), ("sum",)) for name, schema in made.items()),
    ]

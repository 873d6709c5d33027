"""The highest rate that the streaming producer holds."""

from __future__ import annotations

import msgspec

from benchmarks.bench import Bench
from benchmarks.events import create_topic, delete_topics
from benchmarks.parts.producer import customers
from benchmarks.processes import Task, measure, python
from benchmarks.rounds import say

_RATES = (10_000, 20_000, 50_000, 100_000, 200_000)
_SECONDS = 5
_HELD = 0.99
_CUSTOMERS = 7_043


class Held(msgspec.Struct, frozen=True):
    """A rate that was asked for, and what came of it, in events a second."""

    asked: int
    sent: float
    cpu_us: float

    @property
    def is_held(self) -> bool:
        """Whether less than one event in a hundred was late or let go."""
        return self.sent >= _HELD * self.asked


def run(bench: Bench) -> list[Held]:
    """Ever higher, until one is not held."""
    file = customers(bench.folder / "streaming.parquet", _CUSTOMERS)
    found: list[Held] = []
    for rate in _RATES:
        topic = create_topic(bench.broker, "in")
        task = Task(
            broker=bench.broker.address,
            input=topic,
            output=f"{topic}.places",
            dataset=str(file),
            variant="streaming",
            warmup=rate,
            events=rate * _SECONDS,
            rate=float(rate),
        )
        report = measure(python("benchmarks.workers.producer"), task)
        delete_topics(bench.broker, [topic])
        found.append(Held(rate, report.rate, report.cpu_us))
        say(f"{rate:,} a second asked, {report.rate:,.0f} sent")
        if not found[-1].is_held:
            break
    return found

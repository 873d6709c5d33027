"""More processes in one group, on one topic of three partitions."""

from __future__ import annotations

from contextlib import ExitStack
from uuid import uuid4

import msgspec

from benchmarks.bench import Bench
from benchmarks.events import SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.parts.throughput import OURS
from benchmarks.processes import measure_together
from benchmarks.rounds import Spread, say


class Scale(msgspec.Struct, frozen=True):
    """So many processes.

    Attributes:
        rate: Events a second of all together.
        cpu_us: CPU microseconds an event.
    """

    processes: int
    rate: Spread
    cpu_us: Spread


def run(bench: Bench) -> list[Scale]:
    """One, two and three, in turn."""
    topic = create_topic(bench.broker, "in")
    fill(bench.broker, topic, of_size(SIZE), bench.stock)
    found: dict[int, list[tuple[float, float]]] = {1: [], 2: [], 3: []}
    try:
        for _ in range(bench.repeats):
            for processes, results in found.items():
                results.append(_together(bench, topic, processes))
                say(f"{processes} processes: {results[-1][0]:,.0f}/s")
    finally:
        delete_topics(bench.broker, [topic])
    return [
        Scale(n, Spread.of([rate for rate, _ in results]), Spread.of([us for _, us in results]))
        for n, results in found.items()
    ]


def _together(bench: Bench, topic: str, processes: int) -> tuple[float, float]:
    exact = "exactly-once" if bench.broker.kind == "kafka" else "at-least-once"
    group = f"bench-{uuid4().hex[:8]}"
    with ExitStack() as stack:
        tasks = [
            stack.enter_context(
                bench.task(
                    topic,
                    group=group,
                    instance=str(number),
                    delivery=exact,
                    warmup=bench.warmup // processes,
                    events=bench.events // (2 * processes),
                )
            )
            for number in range(processes)
        ]
        reports = measure_together(OURS, tasks)
    events = sum(report.events for report in reports)
    seconds = sum(report.user + report.system for report in reports)
    return sum(report.rate for report in reports), seconds / events * 1e6

"""More processes in one group, on one topic of three partitions."""

from __future__ import annotations

import time
from contextlib import ExitStack
from uuid import uuid4

import msgspec

from benchmarks.bench import Bench
from benchmarks.events import SIZE, create_topic, delete_topics, fill_unseen, of_size
from benchmarks.parts.throughput import OURS
from benchmarks.processes import Worker
from benchmarks.rounds import Spread, say

_JOINING = 10.0  # seconds for all of them to have their partitions


class Scale(msgspec.Struct, frozen=True):
    """So many processes.

    Attributes:
        rate: Events a second of all together, from the first event to the last.
        cpu_us: CPU microseconds an event.
    """

    processes: int
    rate: Spread
    cpu_us: Spread


def run(bench: Bench) -> list[Scale]:
    """One, two and three, in turn; needs a broker with transactions."""
    if bench.broker.kind != "kafka":
        return []
    found: dict[int, list[tuple[float, float]]] = {1: [], 2: [], 3: []}
    for _ in range(bench.repeats):
        for processes, results in found.items():
            results.append(_together(bench, processes))
            say(f"{processes} processes: {results[-1][0]:,.0f}/s")
    return [
        Scale(n, Spread.of([rate for rate, _ in results]), Spread.of([us for _, us in results]))
        for n, results in found.items()
    ]


def _together(bench: Bench, processes: int) -> tuple[float, float]:
    """All wait for events with their partitions in hand, so that none gets a head start."""
    topic = create_topic(bench.broker, "in")
    show = fill_unseen(bench.broker, topic, of_size(SIZE), bench.stock)
    group = f"bench-{uuid4().hex[:8]}"
    # Keys spread unevenly: whoever has the fewest events must reach its number, too.
    share = bench.events // 2 // 3 * (3 // processes)
    with ExitStack() as stack:
        stack.callback(delete_topics, bench.broker, [topic])
        workers = []
        for number in range(processes):
            task = bench.task(
                topic,
                group=group,
                instance=str(number),
                delivery="exactly-once",
                warmup=0,
                events=share,
            )
            workers.append(Worker(OURS, stack.enter_context(task)))
            stack.callback(workers[-1].stop)
        for worker in workers:
            worker.go()
        time.sleep(_JOINING)
        show()
        reports = [worker.report() for worker in workers]
    events = sum(report.events for report in reports)
    seconds = sum(report.user + report.system for report in reports)
    took = max(report.end for report in reports) - min(report.begin for report in reports)
    return events / took, seconds / events * 1e6

"""What more partitions and larger events cost."""

from __future__ import annotations

from functools import partial

from benchmarks.bench import Bench
from benchmarks.events import SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.parts.throughput import OURS, PASS, one
from benchmarks.rounds import Line, Run, rounds

_PARTITIONS = (3, 12, 48)
_SMALLEST = 100  # asked for; no valid event is shorter than some 440 bytes
_SIZES = (_SMALLEST, SIZE, 2_000)
_ROUNDS = 2


def run(bench: Bench) -> list[Line]:
    """One thing larger at a time."""
    cases = [(partitions, SIZE) for partitions in _PARTITIONS]
    cases += [(_PARTITIONS[0], size) for size in _SIZES if size != SIZE]
    return [line for partitions, size in cases for line in _case(bench, partitions, size)]


def _case(bench: Bench, partitions: int, size: int) -> list[Line]:
    topic = create_topic(bench.broker, "in", partitions)
    events = of_size(size)
    fill(bench.broker, topic, events, bench.stock)
    mean = sum(map(len, events.values)) / len(events.values)
    case = f"{partitions} partitions, {mean:.0f} bytes"
    flow = partial(one, bench, topic, partitions=partitions)
    contestants: dict[str, Run] = {
        f"pass-through, {case}": partial(flow, PASS),
        f"churnstream, {case}": partial(flow, OURS),
    }
    try:
        return rounds(contestants, min(_ROUNDS, bench.repeats))
    finally:
        delete_topics(bench.broker, [topic])

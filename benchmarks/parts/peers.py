"""Quix Streams and a plain kafka-python loop, next to the pass-through and churnstream."""

from __future__ import annotations

from functools import partial

from benchmarks.bench import Bench
from benchmarks.events import SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.parts.throughput import OURS, one
from benchmarks.processes import Report, measure
from benchmarks.rounds import Line, Run, rounds

_QUIX = "benchmarks.peers.quix"
_PLAIN = "benchmarks.peers.kafka_python"
_SLOW = 500  # events of those that need milliseconds for each
_WARMUP = 100


def run(bench: Bench) -> list[Line]:
    """Peers measure fewer events than churnstream: they are slow, and steady after a moment."""
    if bench.peers is None:
        return []
    topic = create_topic(bench.broker, "in")
    fill(bench.broker, topic, of_size(SIZE), bench.stock)
    contestants: dict[str, Run] = {
        "churnstream, at least once": partial(one, bench, topic, OURS),
        "Quix Streams, no model": partial(_peer, bench, topic, _QUIX, bench.events),
        "Quix Streams, model call per event": partial(
            _peer, bench, topic, _QUIX, _SLOW, variant="model"
        ),
        "kafka-python, model call per event": partial(_peer, bench, topic, _PLAIN, _SLOW),
    }
    try:
        return rounds(contestants, bench.repeats)
    finally:
        delete_topics(bench.broker, [topic])


def _peer(bench: Bench, topic: str, module: str, events: int, **more: object) -> Report:
    assert bench.peers is not None
    warmup = min(_WARMUP, events)
    with bench.task(topic, events=events, warmup=warmup, **more) as task:
        return measure(module, task, bench.peers)

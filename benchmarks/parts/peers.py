"""Quix Streams and a plain kafka-python loop, next to the pass-through and churnstream."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.bench import Bench
from benchmarks.events import SCHEMA, SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.parts.throughput import OURS, one
from benchmarks.processes import Report, measure
from benchmarks.rounds import Line, Run, rounds
from churnstream.codecs.customer_rows import open_rows
from churnstream.model.adopt import adopt
from churnstream.model.compared_kinds import behind_one_hot
from churnstream.model.features import frame
from churnstream.model.manifest import save
from churnstream.model.train import labels_of
from churnstream.model.training_rows import usable

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
    model = str(_pipeline(bench.folder / "pipeline"))
    contestants: dict[str, Run] = {
        "churnstream, at least once": partial(one, bench, topic, OURS),
        "Quix Streams, no model": partial(_peer, bench, topic, _QUIX, bench.events),
        "Quix Streams, model call per event": partial(
            _peer, bench, topic, _QUIX, _SLOW, variant="model", model=model
        ),
        "kafka-python, model call per event": partial(
            _peer, bench, topic, _PLAIN, _SLOW, model=model
        ),
    }
    try:
        return rounds(contestants, bench.repeats)
    finally:
        delete_topics(bench.broker, [topic])


def _pipeline(folder: Path) -> Path:
    """A scikit-learn pipeline for those who call one; ours are tables, which they cannot read."""
    events, _ = usable(open_rows(None, SCHEMA))
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    pipeline = behind_one_hot(classifier, SCHEMA)
    fitted = pipeline.fit(frame(SCHEMA, events), labels_of(SCHEMA, events))
    save(adopt(fitted, SCHEMA, events), folder)
    return folder


def _peer(bench: Bench, topic: str, module: str, events: int, **more: Any) -> Report:
    assert bench.peers is not None
    warmup = min(_WARMUP, events)
    with bench.task(topic, events=events, warmup=warmup, **more) as task:
        return measure(module, task, bench.peers)

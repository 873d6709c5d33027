"""Seconds from the start of a process to its first prediction, and to the end of `--help`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition

from benchmarks.bench import Bench
from benchmarks.events import SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.processes import ROOT, Task
from benchmarks.rounds import Spread

_COMMAND = (sys.executable, "-c", "from churnstream.cli import main; main()")
_EVENTS = 1_000
_PATIENCE = 60.0


class Startup(msgspec.Struct, frozen=True):
    """Seconds, in three numbers each.

    Attributes:
        first_prediction: From the process's start to its first committed prediction, without the
            time from the request to join the group until it has its partitions.
        joining: That time.
        help: Of `churnstream --help`.
    """

    first_prediction: Spread
    joining: Spread
    help: Spread


class _Line(msgspec.Struct):
    event: str
    timestamp: datetime


def run(bench: Bench) -> Startup:
    """A topic that holds events already, and a new group each time."""
    topic = create_topic(bench.broker, "in")
    fill(bench.broker, topic, of_size(SIZE), _EVENTS)
    try:
        pairs = [_first_prediction(bench, topic) for _ in range(bench.repeats)]
    finally:
        delete_topics(bench.broker, [topic])
    return Startup(
        Spread.of([first for first, _ in pairs]),
        Spread.of([joining for _, joining in pairs]),
        Spread.of([_help() for _ in range(bench.repeats)]),
    )


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([*_COMMAND, "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _first_prediction(bench: Bench, topic: str) -> tuple[float, float]:
    with bench.task(topic) as task:
        began = time.time()
        with _consumer(task) as process:
            assert process.stderr is not None
            moments = {line.event: line.timestamp.timestamp() for line in _until_assigned(process)}
            seen = _first_record(task)
    joining = moments["partitions_assigned"] - moments["consumer_started"]
    return seen - began - joining, joining


@contextmanager
def _consumer(task: Task) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [
            *(*_COMMAND, "consume", "--broker", task.broker, "--group", task.group),
            *("--input-topic", task.input, "--output-topic", task.output),
            *("--deadletter-topic", task.deadletter, "--model", task.model),
            *("--log-format", "json"),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _until_assigned(process: subprocess.Popen[str]) -> Iterator[_Line]:
    assert process.stderr is not None
    for text in process.stderr:
        line = msgspec.json.decode(text, type=_Line)
        yield line
        if line.event == "partitions_assigned":
            return
    raise RuntimeError("the consumer ended before it had partitions")


def _first_record(task: Task) -> float:
    """When the first prediction could be read, seconds since 1970."""
    reader = Consumer(
        {
            "bootstrap.servers": task.broker,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
        }
    )
    try:
        reader.assign([TopicPartition(task.output, p, 0) for p in range(3)])
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            message: Message | None = reader.poll(0.1)
            if message is not None and message.error() is None:
                return time.time()
    finally:
        reader.close()
    raise TimeoutError("no prediction came")

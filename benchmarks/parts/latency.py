"""Milliseconds from an event's own time until its prediction can be read."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition
from numpy.typing import NDArray

from benchmarks.bench import Bench
from benchmarks.events import create_topic, delete_topics
from benchmarks.parts.producer import customers
from benchmarks.parts.throughput import OURS, PASS
from benchmarks.processes import Command, Task, Worker, python
from benchmarks.rounds import say

_SOURCE = python("benchmarks.workers.producer")
_SECONDS = 8.0  # of sending that count
_SETTLING = 5.0  # seconds before them: both ends start, the group is joined
_CUSTOMERS = 7_043
RATES = (100, 1_000, 10_000)


class Latency(msgspec.Struct, frozen=True):
    """One contestant at one rate.

    Attributes:
        rate: Events a second.
        p50, p99, p999: Milliseconds.
    """

    name: str
    rate: int
    events: int
    p50: float
    p99: float
    p999: float


class _Stamp(msgspec.Struct):
    event_ts: datetime


def run(bench: Bench) -> list[Latency]:
    """Each contestant alone with a source, the broker and one reader."""
    exact = "exactly-once" if bench.broker.kind == "kafka" else "at-least-once"
    found = []
    for rate in RATES:
        found.append(_one(bench, "pass-through, at least once", PASS, rate))
        found.append(_one(bench, "churnstream, at least once", OURS, rate))
        if exact == "exactly-once":
            found.append(_one(bench, "pass-through, transactions", PASS, rate, delivery=exact))
            found.append(_one(bench, "churnstream, exactly once", OURS, rate, delivery=exact))
    others: dict[str, dict[str, Any]] = {
        "linger.ms 0": {"client": {"linger.ms": 0}},
        "linger.ms 20": {"client": {"linger.ms": 20}},
        "batches of 100": {"batch_size": 100},
    }
    for name, more in others.items():
        found.append(
            _one(bench, f"churnstream, {exact}, {name}", OURS, 1_000, delivery=exact, **more)
        )
    return found


def _one(bench: Bench, name: str, command: Command, rate: int, **more: Any) -> Latency:
    topic = create_topic(bench.broker, "in")
    total = int(rate * (_SECONDS + _SETTLING))
    try:
        with bench.task(topic, warmup=0, events=total - rate // 2, **more) as task:
            arrivals = _arrivals(bench, command, task, rate, total)
            stamps = _event_times(task, total)
    finally:
        delete_topics(bench.broker, [topic])
    latencies = _latencies(stamps, arrivals)
    p50, p99, p999 = (np.percentile(latencies, [50, 99, 99.9]) * 1000).tolist()
    say(f"{name:<60}{rate:>7,}/s  p50 {p50:.1f}  p99 {p99:.1f}  p99.9 {p999:.1f} ms")
    return Latency(name, rate, len(latencies), p50, p99, p999)


def _latencies(
    stamps: dict[int, list[float]], arrivals: dict[int, list[float]]
) -> NDArray[np.float64]:
    """Keys lead records into the partition of their event, so both are in the same order."""
    pairs = [pair for p, times in arrivals.items() for pair in zip(stamps[p], times, strict=False)]
    begin = min(stamp for stamp, _ in pairs) + _SETTLING
    return np.array([seen - stamp for stamp, seen in pairs if stamp >= begin])


def _arrivals(
    bench: Bench, command: Command, task: Task, rate: int, total: int
) -> dict[int, list[float]]:
    """By partition, when each record of the output could be read."""
    found: dict[int, list[float]] = defaultdict(list)
    done = threading.Event()
    reading = threading.Thread(target=_read, args=(task, found, done))
    reading.start()
    source = msgspec.structs.replace(
        task,
        warmup=0,
        events=total,
        rate=float(rate),
        variant="streaming",
        dataset=str(customers(bench.folder / "latency.parquet", _CUSTOMERS)),
    )
    workers = [Worker(command, task), Worker(_SOURCE, source)]
    try:
        for worker in workers:
            worker.go()
            time.sleep(1)
        for worker in workers:
            worker.report()
    finally:
        time.sleep(1)
        done.set()
        reading.join()
        for worker in workers:
            worker.stop()
    return found


def _reader(task: Task, topic: str) -> Consumer:
    reader = Consumer(
        {
            "bootstrap.servers": task.broker,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
        }
    )
    reader.assign([TopicPartition(topic, p, 0) for p in range(3)])
    return reader


def _read(task: Task, found: dict[int, list[float]], done: threading.Event) -> None:
    reader = _reader(task, task.output)
    while not done.is_set():
        first = reader.poll(0.1)
        messages = [] if first is None else [first, *reader.consume(1000, timeout=0)]
        now = time.time()
        for message in messages:
            if message.error() is None:
                found[message.partition() or 0].append(now)
    reader.close()


def _event_times(task: Task, total: int) -> dict[int, list[float]]:
    """By partition, the own time of each event, seconds since 1970."""
    decode = msgspec.json.Decoder(_Stamp).decode
    found: dict[int, list[float]] = defaultdict(list)
    reader, count = _reader(task, task.input), 0
    deadline = time.monotonic() + 60
    while count < total and time.monotonic() < deadline:
        for message in reader.consume(10_000, timeout=0.5):
            if message.error() is None:
                stamp = decode(message.value() or b"").event_ts
                found[message.partition() or 0].append(stamp.timestamp())
                count += 1
    reader.close()
    return found

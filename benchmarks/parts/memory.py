"""Memory over a long run, of the exactly-once consumer and then of the audit over its topics."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec

from benchmarks.bench import Bench
from benchmarks.events import SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.parts.throughput import OURS
from benchmarks.processes import ROOT, Report, Task, measure
from benchmarks.rounds import say

_SAMPLES = 10
_SPARE = 50_000  # events past the last one measured


class Memory(msgspec.Struct, frozen=True):
    """What a long run held.

    Attributes:
        consumer: Its samples are pairs of events so far and resident kilobytes.
        audit_peak_kb: The most that the audit held at once.
        audit_events: Events in the topic that it read.
    """

    consumer: Report
    audit_peak_kb: int
    audit_events: int


def run(bench: Bench) -> Memory:
    """One consumer over all events, sampled ten times on its way."""
    count = bench.memory_events + _SPARE
    topic = create_topic(bench.broker, "in")
    say(f"filling a topic with {count:,} events")
    fill(bench.broker, topic, of_size(SIZE), count)
    exact = "exactly-once" if bench.broker.kind == "kafka" else "at-least-once"
    every = bench.memory_events // _SAMPLES
    try:
        with bench.task(
            topic, delivery=exact, warmup=0, events=bench.memory_events, sample_every=every
        ) as task:
            consumer = measure(OURS, task)
            say("auditing")
            return Memory(consumer, _audit(task), count)
    finally:
        delete_topics(bench.broker, [topic])


def _audit(task: Task) -> int:
    """The peak of `churnstream audit`, which finds the spare events still on their way."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from churnstream.cli import main; main()"),
            *("audit", "--in-flight-ok", "--json", "--broker", task.broker),
            *("--input-topic", task.input, "--output-topic", task.output),
            *("--deadletter-topic", task.deadletter, "--group", task.group),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        _, status, used = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"the audit failed with {process.returncode}; see what it wrote above")
    return used.ru_maxrss

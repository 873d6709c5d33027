"""Events a second and CPU time an event: the pass-through, churnstream, and its peers."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.bench import Bench
from benchmarks.dashboard import watching
from benchmarks.events import SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.processes import Command, Report, measure, python
from benchmarks.rounds import Line, Run, rounds, say
from churnstream.testing.embedded import free_port

PASS = python("benchmarks.workers.passthrough")
OURS = python("benchmarks.workers.ours")
_DEFAULT_FETCHING = {"queued.max.messages.kbytes": 65_536, "fetch.queue.backoff.ms": 1000}


def run(bench: Bench) -> list[Line]:
    """Everything on the same topic of 540-byte events in 3 partitions."""
    topic = create_topic(bench.broker, "in")
    say(f"filling a topic with {bench.stock:,} events")
    fill(bench.broker, topic, of_size(SIZE), bench.stock)
    try:
        return rounds(_contestants(bench, topic), bench.repeats)
    finally:
        delete_topics(bench.broker, [topic])


def _contestants(bench: Bench, topic: str) -> dict[str, Run]:
    flow = partial(one, bench, topic)
    found: dict[str, Run] = {
        "pass-through, at least once": partial(flow, PASS, delivery="at-least-once"),
        "churnstream, at least once": partial(flow, OURS, delivery="at-least-once"),
    }
    if not bench.quick:
        found["pass-through, at least once, fetching as the client does by default"] = partial(
            flow, PASS, delivery="at-least-once", client=_DEFAULT_FETCHING
        )
        found["churnstream, at least once, reasons for the likely churners"] = partial(
            flow, OURS, delivery="at-least-once", reasons="top"
        )
        found |= {
            "churnstream, at least once, metrics served": partial(
                flow, OURS, delivery="at-least-once", metrics_port=free_port()
            ),
            "churnstream, at least once, dashboard watching": partial(watched, bench, topic),
        }
    if bench.broker.kind == "kafka":
        found |= {
            "pass-through, transactions": partial(flow, PASS, delivery="exactly-once"),
            "churnstream, exactly once": partial(flow, OURS, delivery="exactly-once"),
        }
    return found


def one(bench: Bench, topic: str, command: Command, **more: Any) -> Report:
    """One process on a topic, with new topics for its output."""
    with bench.task(topic, **more) as task:
        return measure(command, task)


def watched(bench: Bench, topic: str) -> Report:
    """The same, while the live page reads all of it and asks for the metrics."""
    with (
        bench.task(topic, delivery="at-least-once", metrics_port=free_port()) as task,
        watching(bench, task),
    ):
        return measure(OURS, task)

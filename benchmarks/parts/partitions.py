"""Many partitions: what they cost one consumer, and twenty consumers that share two hundred."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import msgspec
from confluent_kafka.admin import AdminClient

from benchmarks.bench import Bench
from benchmarks.events import SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.parts.throughput import OURS, PASS, one
from benchmarks.processes import Task, Worker
from benchmarks.rounds import Line, Run, rounds, say

_COUNTS = (3, 48, 200)
_CONSUMERS = 20
_LONGEST = 120.0  # seconds for a group to settle
_ENDLESS = 10**12  # events: until it is ended


class Group(msgspec.Struct, frozen=True):
    """Twenty consumers of a topic with two hundred partitions.

    Attributes:
        joined_s: Seconds from the start of the last one's work until each has its share.
        left_s: From the stop of one until the others have its partitions.
        killed_s: From the kill of one until the others have its partitions.
        rss_mb: The most that one of them held after all had read.
    """

    joined_s: float
    left_s: float
    killed_s: float
    rss_mb: float


class Partitions(msgspec.Struct, frozen=True):
    """What was found."""

    rates: list[Line]
    group: Group


def run(bench: Bench) -> Partitions | None:
    """One consumer, exactly once, in turn; then the group. Needs a broker with transactions."""
    if bench.broker.kind != "kafka":
        return None
    with ExitStack() as stack:
        topics = {n: stack.enter_context(_filled(bench, n, bench.stock)) for n in _COUNTS}
        contestants: dict[str, Run] = {}
        for count, topic in topics.items():
            flow = partial(one, bench, topic, partitions=count, delivery="exactly-once")
            contestants[f"pass-through, {count} partitions"] = partial(flow, PASS)
            contestants[f"churnstream, {count} partitions"] = partial(flow, OURS)
        rates = rounds(contestants, bench.repeats)
    return Partitions(rates, _group(bench))


@contextmanager
def _filled(bench: Bench, partitions: int, events: int) -> Iterator[str]:
    topic = create_topic(bench.broker, "in", partitions)
    fill(bench.broker, topic, of_size(SIZE), events)
    try:
        yield topic
    finally:
        delete_topics(bench.broker, [topic])


def _group(bench: Bench) -> Group:
    """All but one settle first: starting processes is not what is measured."""
    group = f"bench-{uuid4().hex[:8]}"
    with (
        _filled(bench, _COUNTS[-1], bench.events) as topic,
        bench.task(topic, _COUNTS[-1], group=group, warmup=0, events=_ENDLESS) as task,
        ExitStack() as stack,
    ):
        workers = [_started(task, number, stack) for number in range(_CONSUMERS)]
        owners = partial(_owners, bench, group)
        for worker in workers[:-1]:
            worker.go()
        _until(lambda: _is_shared(owners(), _CONSUMERS - 1))
        joined = _seconds(workers[-1].go, lambda: _is_shared(owners(), _CONSUMERS))
        rss = max(map(_rss_mb, workers))
        left = _seconds(workers.pop().end, lambda: _is_shared(owners(), _CONSUMERS - 1))
        killed = _seconds(workers.pop().stop, lambda: _is_shared(owners(), _CONSUMERS - 2))
    say(f"a consumer joined in {joined:.1f} s, left in {left:.1f} s; {rss:.0f} MB")
    return Group(joined, left, killed, rss)


def _started(task: Task, number: int, stack: ExitStack) -> Worker:
    own = msgspec.structs.replace(task, instance=str(number), delivery="exactly-once")
    worker = Worker(OURS, own)
    stack.callback(worker.stop)
    return worker


def _owners(bench: Bench, group: str) -> list[int]:
    """How many partitions each member has."""
    admin = AdminClient({"bootstrap.servers": bench.broker.address, "log_level": 3})
    members = admin.describe_consumer_groups([group])[group].result().members
    return [len(member.assignment.topic_partitions) for member in members]


def _is_shared(owners: list[int], members: int) -> bool:
    """Whether so many members have all partitions among them."""
    return len(owners) == members and all(owners) and sum(owners) == _COUNTS[-1]


def _seconds(act: Callable[[], None], met: Callable[[], bool]) -> float:
    act()
    began = time.monotonic()
    _until(met)
    return time.monotonic() - began


def _until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError("the group did not settle")
        time.sleep(0.1)


def _rss_mb(worker: Worker) -> float:
    lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
    fields = dict(line.partition(":")[::2] for line in lines)
    return int(fields["VmRSS"].split()[0]) / 1024

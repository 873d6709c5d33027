"""The same work by other means, side by side, each checked for the same probabilities.

All read the same events, score them by the same exported model and write the same predictions; the
pass-through does none of that. What cannot be built or run here is left out, and named.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jvm
import msgspec

from benchmarks.bench import Bench
from benchmarks.customers import train_on
from benchmarks.events import SCHEMA, SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.exported import Expected, check, expected, export
from benchmarks.parts.throughput import OURS, PASS
from benchmarks.processes import Command, Report, measure, python
from benchmarks.rounds import Line, Run, rounds, say
from benchmarks.toolchains import go_peer, java_peer
from churnstream.codecs.customer_rows import open_rows
from churnstream.codecs.event_encoder import EncodedEvents

_PLAIN = python("benchmarks.workers.ours_without_numba")
_ROUNDS = 3
_EVENTS = 400_000  # at most: a round of thirteen or more is long enough
_BUNDLED = 7_000
_BOTH = ("at least once", "exactly once")


class Peers(msgspec.Struct, frozen=True):
    """Who was measured, and who was not.

    Attributes:
        left_out: Why the others were not, a line each.
        warm_seconds: How long each virtual machine ran before it was measured.
    """

    lines: list[Line]
    left_out: list[str]
    warm_seconds: float


class _Peer(msgspec.Struct, frozen=True):
    """One of the others.

    Attributes:
        more: What its task has besides.
        scores: Whether it looks at events at all.
    """

    name: str
    command: Command
    guarantees: tuple[str, ...] = _BOTH
    more: dict[str, Any] = {}
    scores: bool = True


def run(bench: Bench) -> Peers:
    """All that can be had here, in turn."""
    events = _complete(of_size(SIZE))
    rows = next(open_rows(None, SCHEMA).batches(_BUNDLED))
    model = train_on(SCHEMA, rows, bench.folder / "exported model", "sum")
    more = {"model": str(model), "exported": export(model, bench.folder / "exported.json")}
    found, left_out = _found(bench)
    right = expected(model, events)
    topic = create_topic(bench.broker, "in")
    say(f"filling a topic with {bench.stock:,} events")
    fill(bench.broker, topic, events, bench.stock)
    contestants: dict[str, Run] = {}
    for peer in found:
        for guarantee in peer.guarantees:
            if guarantee == _BOTH[0] or bench.broker.kind == "kafka":
                name = f"{peer.name}, {guarantee}"
                delivery = guarantee.replace(" ", "-")
                task = {**more, **peer.more, "delivery": delivery}
                contestants[name] = partial(_one, bench, topic, name, peer, task, right)
    try:
        lines = rounds(contestants, min(_ROUNDS, bench.repeats))
    finally:
        delete_topics(bench.broker, [topic])
    return Peers(lines, left_out, bench.warm_seconds)


def _complete(events: EncodedEvents) -> EncodedEvents:
    """Without those whose gap a rule of the schema fills, which peers need not know."""
    pairs = zip(events.keys, events.values, strict=True)
    whole = [(key, value) for key, value in pairs if b":null" not in value]
    return EncodedEvents([key for key, _ in whole], [value for _, value in whole])


def _one(
    bench: Bench, topic: str, name: str, peer: _Peer, more: dict[str, Any], right: Expected
) -> Report:
    with bench.task(topic, events=min(bench.events, _EVENTS), **more) as task:
        report = measure(peer.command, task)
        if peer.scores:
            check(name, task, report, right)
        return report


def _found(bench: Bench) -> tuple[list[_Peer], list[str]]:
    """Those that can be run here, and why the others cannot."""
    found = [
        _Peer("pass-through", PASS, scores=False),
        _Peer("churnstream", OURS),
        _Peer("Python by hand: orjson, tables", python("benchmarks.peers.orjson_loop")),
    ]
    left_out: list[str] = []
    if find_spec("numba"):
        found.insert(2, _Peer("churnstream without numba", _PLAIN))
    else:
        left_out.append("churnstream with numba: it is not installed")
    if bench.peers:
        quix = python("benchmarks.peers.quix", bench.peers)
        found.append(_Peer("Quix Streams, tables", quix, _BOTH[:1]))
    else:
        left_out.append("Quix Streams: its environment was not named; see --peers")
    for language, build in (("Go", go_peer), ("Java", java_peer)):
        try:
            found += _built(language, build, bench)
        except jvm.ClusterError as error:
            left_out.append(f"{language}: {error}")
    for line in left_out:
        say(f"left out: {line}")
    return found, left_out


def _built(language: str, build: Callable[[Path], Command], bench: Bench) -> list[_Peer]:
    command = build(bench.folder)
    if language == "Go":
        return [_Peer("Go: franz-go, sonic", command)]
    warm = {"warm_seconds": bench.warm_seconds}
    return [
        _Peer("Java: plain clients, Jackson", command, more=warm),
        _Peer("Java: Kafka Streams", command, more={"variant": "streams", **warm}),
    ]

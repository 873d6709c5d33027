"""What every part works with: a broker, a model, a folder, and how much to measure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from benchmarks.brokers import Broker
from benchmarks.events import create_topic, delete_topics
from benchmarks.processes import Task


class Bench(msgspec.Struct, frozen=True):
    """One run.

    Attributes:
        folder: For what is thrown away afterwards.
        model: A trained model.
        peers: The interpreter of the peers' environment; None leaves them out.
        repeats: Rounds of every comparison.
        events: Measured in each run of a fast contestant.
        quick: Less of everything.
        memory_events: Events of the long run.
        warm_seconds: How long a virtual machine runs before it is measured.
    """

    broker: Broker
    folder: Path
    model: Path
    peers: str | None
    repeats: int
    events: int
    quick: bool
    memory_events: int
    warm_seconds: float

    @property
    def warmup(self) -> int:
        """Events before each measurement."""
        return max(20_000, self.events // 10)

    @property
    def stock(self) -> int:
        """Events in a topic: some more than are measured, or the clients would run dry."""
        return self.events + self.warmup + 150_000

    @contextmanager
    def task(self, topic: str, partitions: int = 3, **more: Any) -> Iterator[Task]:
        """A task that reads `topic` from its beginning and writes to new topics."""
        output = create_topic(self.broker, "out", partitions)
        letters = create_topic(self.broker, "dead", 1)
        own: dict[str, object] = {
            "broker": self.broker.address,
            "embedded": self.broker.kind == "embedded",
            "input": topic,
            "output": output,
            "deadletter": letters,
            "group": f"bench-{uuid4().hex[:8]}",
            "model": str(self.model),
            "warmup": self.warmup,
            "events": self.events,
        }
        try:
            yield msgspec.convert(own | more, Task)
        finally:
            delete_topics(self.broker, [output, letters])

"""Starts a measured process and takes its report."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
_LONGEST = 1800.0  # seconds: a process that hangs must not hang the run

Command = Sequence[str]
"""What starts a worker; the task follows as its last argument."""


def python(module: str, interpreter: str = sys.executable) -> Command:
    """Start a module; without an interpreter of its own, with that of churnstream."""
    return [interpreter, "-m", module]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is asked to do.

    Attributes:
        warmup: Events before the measurement begins.
        events: Events to measure.
        reasons: Which predictions get reasons.
        client: Librdkafka properties on top.
        sample_every: Events between two looks at the memory; 0 for none.
        rate: Events a second, for those who send.
        metrics_port: Where to serve metrics; 0 for nowhere.
        registry: The address of the schema registry; "" for none.
        exported: The file with the exported model, for those who cannot read a saved one.
        warm_seconds: How long a virtual machine runs itself warm before anything counts.
    """

    broker: str
    input: str
    warmup: int
    events: int
    output: str = ""
    deadletter: str = ""
    embedded: bool = False
    group: str = ""
    instance: str = "0"
    delivery: str = "at-least-once"
    batch_size: int = 5000
    reasons: str = "none"
    model: str = ""
    client: dict[str, str | int] = {}
    sample_every: int = 0
    rate: float = 0.0
    dataset: str = ""
    variant: str = ""
    metrics_port: int = 0
    registry: str = ""
    exported: str = ""
    warm_seconds: float = 0.0


class Report(msgspec.Struct, frozen=True):
    """What a process says of itself.

    Attributes:
        begin, end: Of the measurement, seconds since 1970.
        user, system: CPU seconds of all its threads in between.
        samples: Pairs of events so far and resident kilobytes.
        rejected: Events that it did not score.
        first: When its first events were done, seconds since 1970; 0 where that is not known.
        started: When the process was, in the same way.
        detail: What else there is.
    """

    events: int
    begin: float
    end: float
    user: float
    system: float
    rss_kb: int
    samples: list[tuple[int, int]] = []
    rejected: int = 0
    first: float = 0.0
    started: float = 0.0
    detail: dict[str, Any] = {}

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / (self.end - self.begin)

    @property
    def first_s(self) -> float:
        """Seconds from the start of the process to its first predictions."""
        return self.first - self.started

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an event."""
        return (self.user + self.system) / self.events * 1e6


class Worker:
    """A process that is imported, loaded and waits for its start.

    Args:
        command: Starts it.
    """

    def __init__(self, command: Command, task: Task) -> None:
        self._name = command[-1]
        self._started = time.time()
        self._process = subprocess.Popen(
            [*command, msgspec.json.encode(task).decode()],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self.stop()
            raise RuntimeError(f"{self._name} did not start; see what it wrote above")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def report(self) -> Report:
        """Wait for its end and its report."""
        try:
            output, _ = self._process.communicate(timeout=_LONGEST)
        finally:
            self.stop()
        if self._process.returncode != 0:
            raise RuntimeError(f"{self._name} failed; see what it wrote above")
        found = msgspec.json.decode(output.splitlines()[-1], type=Report)
        return msgspec.structs.replace(found, started=self._started)

    def end(self) -> None:
        """Ask it to end its work in order."""
        self._process.terminate()

    def stop(self) -> None:
        """End it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def measure(command: Command, task: Task) -> Report:
    """Run one process from start to end."""
    worker = Worker(command, task)
    worker.go()
    return worker.report()

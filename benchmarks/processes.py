"""Starts a measured process and takes its report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
_LONGEST = 1800.0  # seconds: a process that hangs must not hang the run


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


class Report(msgspec.Struct, frozen=True):
    """What a process says of itself.

    Attributes:
        begin, end: Of the measurement, seconds since 1970.
        user, system: CPU seconds of all its threads in between.
        samples: Pairs of events so far and resident kilobytes.
        rejected: Events that it did not score.
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
    detail: dict[str, Any] = {}

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / (self.end - self.begin)

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an event."""
        return (self.user + self.system) / self.events * 1e6


class Worker:
    """A process that is imported, loaded and waits for its start.

    Args:
        module: What to run with `python -m`.
        python: The interpreter; that of churnstream where none is given.
    """

    def __init__(self, module: str, task: Task, python: str = sys.executable) -> None:
        self._name = module
        self._process = subprocess.Popen(
            [python, "-m", module, msgspec.json.encode(task).decode()],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self.stop()
            raise RuntimeError(f"{module} did not start; see what it wrote above")

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
        return msgspec.json.decode(output.splitlines()[-1], type=Report)

    def end(self) -> None:
        """Ask it to end its work in order."""
        self._process.terminate()

    def stop(self) -> None:
        """End it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def measure(module: str, task: Task, python: str = sys.executable) -> Report:
    """Run one process from start to end."""
    worker = Worker(module, task, python)
    worker.go()
    return worker.report()

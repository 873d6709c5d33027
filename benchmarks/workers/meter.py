"""How a measured process counts: events, seconds and CPU time between two moments of its work.

Standard library only: it also runs inside the peers' environment.
"""

import json
import resource
import sys
import time
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """One moment: how far the work was, and what it had cost."""

    events: int
    wall: float
    user: float
    system: float


class Meter:
    """Measures from the first count past the warm-up to the first past the end.

    What comes before is left out: imports, joining the group, filling of buffers. So is what comes
    after: leaving the group.

    Args:
        warmup: Events before the measurement begins, at least.
        events: Events to measure, at least.
        every: Also note the memory every so many events; 0 for never.
    """

    def __init__(self, warmup: int, events: int, every: int = 0) -> None:
        self._warmup, self._until, self._every = warmup, warmup + events, every
        self._count = 0
        self._begin: Mark | None = None
        self._end: Mark | None = None
        self._next_sample = 0
        self._first = 0.0
        self.samples: list[tuple[int, int]] = []

    def add(self, count: int) -> bool:
        """Count events that are done; whether that was all."""
        self._count += count
        self._first = self._first or time.time()
        if self._begin is None:
            if self._count >= self._warmup:
                self._begin = self._mark()
        elif self._end is None and self._count >= self._until:
            self._end = self._mark()
        if self._every and self._count >= self._next_sample:
            self.samples.append((self._count, rss_kb()))
            self._next_sample += self._every
        return self._end is not None

    def _mark(self) -> Mark:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Mark(self._count, time.time(), used.ru_utime, used.ru_stime)

    def report(self, **more: Any) -> None:
        """Print what was measured, and `more`, for `benchmarks.processes`."""
        begin, end = self._begin, self._end or self._mark()
        if begin is None:
            sys.exit(f"only {self._count} events were seen, not even the warm-up")
        result = {
            "events": end.events - begin.events,
            "begin": begin.wall,
            "end": end.wall,
            "user": end.user - begin.user,
            "system": end.system - begin.system,
            "rss_kb": rss_kb(),
            "samples": self.samples,
            "first": self._first,
        }
        print(json.dumps(result | more), flush=True)


def rss_kb() -> int:
    """Resident memory of this process now."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  # 3 times as fast
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def task() -> Any:
    """What this process is asked to do: the JSON of its first argument, with names as in `Task`."""
    return json.loads(sys.argv[1])


def wait_for_go() -> None:
    """Say that everything is imported and loaded, and wait for the others to be so too."""
    print("ready", flush=True)
    sys.stdin.readline()

"""Figures over time, in bounded memory."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import NamedTuple

import numpy as np

Part = tuple[str, str]  # customers of one segment: a field, and the name of the segment
EVERYBODY: Part = ("", "")

_MAX_BUCKETS = 120
_SECONDS = 300
_STEP = 5
_MAX_SAMPLES = 200


class Tally:
    """What was predicted of some customers in some time.

    Attributes:
        level: What is at risk of all of them at its end, see `CustomerGroup.at_risk`.
    """

    __slots__ = ("leaving", "level", "scored")

    def __init__(self, scored: int = 0, leaving: int = 0, level: float = 0.0) -> None:
        self.scored, self.leaving, self.level = scored, leaving, level

    def then(self, later: "Tally") -> "Tally":
        """Both times as one."""
        return Tally(self.scored + later.scored, self.leaving + later.leaving, later.level)


class OverTime:
    """Predictions by their time of processing, in at most 120 buckets from the first to the last.

    When they do not suffice, neighbours are merged and each bucket covers twice the time.

    Attributes:
        width: Seconds of a bucket.
        buckets: Of each a tally for all customers (`EVERYBODY`), and one for each of their parts.
    """

    def __init__(self) -> None:
        self.width = 1.0
        self._start = 0.0
        self.buckets: list[dict[Part, Tally]] = []

    def add(self, at: float, leaving: bool, levels: Mapping[Part, float]) -> None:
        """Add a prediction.

        Args:
            levels: What is at risk after it, of each part that the customer belongs to.
        """
        if not self.buckets:
            self._start = at
        index = max(0, int((at - self._start) / self.width))
        while index >= _MAX_BUCKETS:
            self._merge()
            index = int((at - self._start) / self.width)
        while index >= len(self.buckets):
            before = self.buckets[-1] if self.buckets else {}
            self.buckets.append({part: Tally(level=one.level) for part, one in before.items()})
        bucket = self.buckets[index]
        for part, level in levels.items():
            tally = bucket.get(part) or bucket.setdefault(part, Tally())
            tally.scored += 1
            tally.leaving += leaving
            tally.level = level

    def _merge(self) -> None:
        pairs = [self.buckets[i : i + 2] for i in range(0, len(self.buckets), 2)]
        self.buckets = [reduce(_merged, pair) for pair in pairs]
        self.width *= 2

    @property
    def span(self) -> tuple[float, float]:
        """When it begins and ends, seconds since 1970."""
        return self._start, self._start + self.width * len(self.buckets)

    def rates(self, part: Part = EVERYBODY) -> list[float | None]:
        """Share that is expected to leave by bucket; None where nothing was scored."""
        return [one.leaving / one.scored if one.scored else None for one in self._of(part)]

    def levels(self, part: Part = EVERYBODY) -> list[float | None]:
        """What is at risk at the end of each bucket."""
        return [one.level for one in self._of(part)]

    def _of(self, part: Part) -> list[Tally]:
        return [bucket.get(part, Tally()) for bucket in self.buckets]


def _merged(first: dict[Part, Tally], later: dict[Part, Tally]) -> dict[Part, Tally]:
    both = {part: first[part].then(one) for part, one in later.items() if part in first}
    return {**first, **later, **both}


class PerSecond:
    """How many records of a kind have a timestamp in each of the last five minutes' seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts: Counter[int] = Counter()

    def add(self, timestamps: Iterable[float]) -> None:
        """Count records by their timestamps, seconds since 1970."""
        now = int(self._clock())
        seconds = map(int, timestamps)
        # A clock elsewhere may be ahead of this one, but not by more.
        self._counts.update(at for at in seconds if now - _SECONDS <= at <= now + _SECONDS)
        if len(self._counts) > 2 * _SECONDS:
            kept = {at: n for at, n in self._counts.items() if at >= now - _SECONDS}
            self._counts = Counter(kept)

    def rate(self, seconds: int = 5) -> float:
        """Average of the last whole seconds."""
        now = int(self._clock())
        return sum(self._counts[at] for at in range(now - seconds, now)) / seconds

    def values(self) -> list[float | None]:
        """A second's average over each five seconds of the last five minutes, oldest first.

        The five seconds that are not over yet are left out.
        """
        end = int(self._clock()) // _STEP * _STEP
        starts = range(end - _SECONDS, end, _STEP)
        return [sum(self._counts[at] for at in range(s, s + _STEP)) / _STEP for s in starts]


class Quantiles(NamedTuple):
    """Seconds from event to prediction: of half of them at most, and of 95 %; None without any."""

    median: float | None
    p95: float | None


class Latencies:
    """Seconds from event to prediction, of at most some hundred outcomes for each five seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._samples: dict[int, list[float]] = {}

    def add(self, at: float, seconds: float) -> None:
        """Add one that was predicted at `at`, seconds since 1970."""
        step, now = int(at) // _STEP, int(self._clock()) // _STEP
        if abs(step - now) > _SECONDS // _STEP:
            return
        samples = self._samples.setdefault(step, [])
        if len(samples) < _MAX_SAMPLES:
            samples.append(max(0.0, seconds))  # an event's own time may lie ahead
        if len(self._samples) > 2 * _SECONDS // _STEP:
            oldest = now - _SECONDS // _STEP
            self._samples = {s: them for s, them in self._samples.items() if s >= oldest}

    def quantiles(self) -> Quantiles:
        """Those of the last minute."""
        now = int(self._clock()) // _STEP
        recent = [
            seconds for step, them in self._samples.items() if step > now - 12 for seconds in them
        ]
        if not recent:
            return Quantiles(None, None)
        median, p95 = np.quantile(recent, [0.5, 0.95]).tolist()
        return Quantiles(median, p95)

    def values(self) -> list[float | None]:
        """The 95 % of each five seconds of the last five minutes, oldest first."""
        now = int(self._clock()) // _STEP
        steps = range(now - _SECONDS // _STEP, now)
        return [
            float(np.quantile(self._samples[step], 0.95)) if step in self._samples else None
            for step in steps
        ]

"""Figures over time, in bounded memory."""

import time
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

_MOST_BUCKETS = 120
_SECONDS = 300
_STEP = 5
_MOST_SAMPLES = 200


class OverTime:
    """Predictions by their time of processing, in at most 120 buckets from the first to the last.

    When they do not suffice, neighbours are merged and each bucket covers twice the time.

    Attributes:
        width: Seconds of a bucket.
        buckets: Of each the predictions, how many of them leave, and the revenue at its end.
    """

    def __init__(self) -> None:
        self.width = 1.0
        self._start = 0.0
        self.buckets: list[list[float]] = []

    def add(self, at: float, leaving: bool, level: float) -> None:
        """Add a prediction, and the revenue at risk of all customers after it."""
        if not self.buckets:
            self._start = at
        place = max(0, int((at - self._start) / self.width))
        while place >= _MOST_BUCKETS:
            self._merge()
            place = int((at - self._start) / self.width)
        while place >= len(self.buckets):
            self.buckets.append([0, 0, self.buckets[-1][2] if self.buckets else 0.0])
        bucket = self.buckets[place]
        bucket[0] += 1
        bucket[1] += leaving
        bucket[2] = level

    def _merge(self) -> None:
        pairs = [self.buckets[i : i + 2] for i in range(0, len(self.buckets), 2)]
        self.buckets = [
            [sum(one[0] for one in pair), sum(one[1] for one in pair), pair[-1][2]]
            for pair in pairs
        ]
        self.width *= 2

    @property
    def span(self) -> tuple[float, float]:
        """When it begins and ends, seconds since 1970."""
        return self._start, self._start + self.width * len(self.buckets)

    def rates(self) -> list[float | None]:
        """Share that is expected to leave by bucket; None where nothing was scored."""
        return [leaving / scored if scored else None for scored, leaving, _ in self.buckets]

    def levels(self) -> list[float | None]:
        """Monthly revenue at risk of all customers at the end of each bucket."""
        return [level for _, _, level in self.buckets]


class PerSecond:
    """How many records of a kind have a timestamp in each of the last five minutes' seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts: Counter[int] = Counter()

    def add(self, moments: Iterable[float]) -> None:
        """Count records by their timestamps, seconds since 1970."""
        now = int(self._clock())
        self._counts.update(second for at in moments if (second := int(at)) >= now - _SECONDS)
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


class Latencies:
    """Seconds from event to prediction, of at most some hundred outcomes for each five seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._samples: dict[int, list[float]] = {}

    def add(self, at: float, seconds: float) -> None:
        """Add one that was predicted at `at`, seconds since 1970."""
        step, now = int(at) // _STEP, int(self._clock()) // _STEP
        if step < now - _SECONDS // _STEP:
            return
        samples = self._samples.setdefault(step, [])
        if len(samples) < _MOST_SAMPLES:
            samples.append(seconds)
        if len(self._samples) > 2 * _SECONDS // _STEP:
            oldest = now - _SECONDS // _STEP
            self._samples = {s: them for s, them in self._samples.items() if s >= oldest}

    def quantiles(self) -> tuple[float | None, float | None]:
        """Median and 95 % of the last minute."""
        now = int(self._clock()) // _STEP
        recent = [
            seconds for step, them in self._samples.items() if step > now - 12 for seconds in them
        ]
        if not recent:
            return None, None
        median, most = np.quantile(recent, [0.5, 0.95]).tolist()
        return median, most

    def values(self) -> list[float | None]:
        """The 95 % of each five seconds of the last five minutes, oldest first."""
        now = int(self._clock()) // _STEP
        steps = range(now - _SECONDS // _STEP, now)
        return [
            float(np.quantile(self._samples[step], 0.95)) if step in self._samples else None
            for step in steps
        ]

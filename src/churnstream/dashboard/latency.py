"""Latency from event to prediction, in quantiles, over the last minutes."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_SECONDS = 300
_STEP = 5
_MAX_SAMPLES = 200


class LatencyQuantiles(NamedTuple):
    """Seconds from event to prediction: of half of them at most, and of 95 %; None without any."""

    median: float | None
    p95: float | None


class LatencySeries:
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

    def quantiles(self) -> LatencyQuantiles:
        """Those of the last minute."""
        now = int(self._clock()) // _STEP
        recent = [
            seconds for step, them in self._samples.items() if step > now - 12 for seconds in them
        ]
        if not recent:
            return LatencyQuantiles(None, None)
        median, p95 = np.quantile(recent, [0.5, 0.95]).tolist()
        return LatencyQuantiles(median, p95)

    def values(self) -> list[float | None]:
        """The 95 % of each five seconds of the last five minutes, oldest first."""
        now = int(self._clock()) // _STEP
        steps = range(now - _SECONDS // _STEP, now)
        return [
            float(np.quantile(self._samples[step], 0.95)) if step in self._samples else None
            for step in steps
        ]

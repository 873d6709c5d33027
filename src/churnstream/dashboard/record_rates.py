"""Records a second over the last minutes: what the page shows of events in and out."""

import time
from collections import Counter
from collections.abc import Callable, Iterable

_SECONDS = 300
_STEP = 5


class RecordRate:
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

"""A point in time by which something must have happened."""

import time


class Deadline:
    """So many seconds from now, by a clock that nobody sets.

    Args:
        seconds: Until then.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begin = time.monotonic()

    @property
    def passed(self) -> bool:
        """Whether it lies in the past."""
        return self.elapsed >= self.seconds

    @property
    def elapsed(self) -> float:
        """Seconds since it was set."""
        return time.monotonic() - self._begin

    @property
    def left(self) -> float:
        """Seconds until then, 0 if it has passed."""
        return max(0.0, self.seconds - self.elapsed)

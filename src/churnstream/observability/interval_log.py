"""One line in the log for an interval instead of one for a batch."""

import time
from collections import Counter
from collections.abc import Callable

import structlog

from churnstream.pipeline.consumer_notices import Committed, Notice, Stepped

log = structlog.get_logger("churnstream.consumer")


class IntervalLog:
    """Adds up what a consumer did, and says it every so many seconds if there was anything.

    Args:
        seconds: The minimum between two lines.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._start_over()

    def _start_over(self) -> None:
        self._since = self._clock()
        self._batches = self._scored = self._passed_over = 0
        self._reasons: Counter[str] = Counter()
        self._offsets: dict[int, int] = {}

    def on_notice(self, notice: Notice) -> None:
        """Take note of what the consumer does; with a step it may be time to speak."""
        if isinstance(notice, Committed):
            self._batches += len(notice.batch) > 0
            self._scored += len(notice.batch.events)
            self._passed_over += len(notice.batch.passed_over)
            self._reasons.update(why.reason for why in notice.batch.rejections)
            self._offsets.update(notice.offsets)
        elif isinstance(notice, Stepped) and self._clock() - self._since >= self._seconds:
            self.say()

    def say(self) -> None:
        """Write the line now."""
        took = self._clock() - self._since
        if self._batches:
            events = self._scored + self._reasons.total() + self._passed_over
            by_rule = {"passed_over": self._passed_over} if self._passed_over else {}
            log.info(
                "events_scored",
                scored=self._scored,
                dead_lettered=self._reasons.total(),
                reasons=dict(sorted(self._reasons.items())),
                **by_rule,
                batches=self._batches,
                per_second=round(events / took, 1) if took else None,
                offsets=dict(sorted(self._offsets.items())),
            )
        self._start_over()

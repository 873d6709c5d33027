"""Whether a process makes progress: existing is not enough to be alive."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from churnstream.pipeline.consumer_notices import Committed, Notice, Stepped

_ASKED_WITHIN = 15.0  # seconds of silence after which a client has surely asked, and had no answer


class HealthProbe(Protocol):
    """What `/livez` and `/readyz` ask; an empty answer is a good one."""

    def stalled(self) -> str:
        """Why the process should be started again, in words."""
        ...

    def unready(self) -> str:
        """Why it cannot do its work yet, in words."""
        ...


class _Mark(NamedTuple):
    """A time, on the clock of its owner, and how much has been waiting since."""

    at: float
    number: int


def _mark(before: _Mark | None, now: float, number: int) -> _Mark | None:
    """Since when there has been something, without a break."""
    return _Mark(before.at if before else now, number) if number else None


class ConsumerHealth:
    """A consumer lives while what waits for it is committed, and its loop goes round.

    Nor does it live while it cannot know what waits: a broker reports the end of a partition with
    its first answer, records or none; and one that has nothing to read asks now and then whether a
    broker is there at all.

    Args:
        timeout: Seconds without progress after which it is not alive.

    Attributes:
        lags: By partition that is ours, events between the group's offset and the end.
        model: The version in use; None before it is loaded.
    """

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.lags: dict[int, int] = {}
        self.model: str | None = None
        self._timeout, self._clock = timeout, clock
        self._assigned: frozenset[int] = frozenset()
        self._offsets: dict[int, int] = {}
        self._last_step = self._heard_at = clock()
        self._cut_off = False
        self._waiting: _Mark | None = None  # since the last commit, while there is anything to do
        self._unheard: _Mark | None = None  # partitions of which no broker has reported the end

    def on_notice(self, notice: Notice) -> None:
        """Take note of what the consumer does."""
        if isinstance(notice, Stepped):
            self._on_step(notice)
        elif isinstance(notice, Committed):
            self._offsets.update(notice.offsets)
            self._waiting = None

    def _on_step(self, step: Stepped) -> None:
        now = self._last_step = self._clock()
        self._assigned, self._cut_off = step.assigned, step.cut_off
        self._heard_at = now - step.silence_s
        self._offsets = {**step.polled.first_offsets, **self._offsets}
        self._offsets = {p: offset for p, offset in self._offsets.items() if p in step.assigned}
        ends = {**step.end_offsets, **step.polled.end_offsets}
        self.lags = {
            p: max(0, ends[p] - offset) for p, offset in self._offsets.items() if p in ends
        }
        self._waiting = _mark(self._waiting, now, sum(self.lags.values()))
        self._unheard = _mark(self._unheard, now, len(step.assigned - ends.keys()))

    def stalled(self) -> str:
        """See `HealthProbe`."""
        now, waiting, unheard = self._clock(), self._waiting, self._unheard
        if (idle := now - self._last_step) > self._timeout:
            return f"the consumer has been stuck for {idle:.0f} s"
        if waiting and (idle := now - waiting.at) > self._timeout:
            return f"{waiting.number} events wait and nothing was committed for {idle:.0f} s"
        if unheard and (idle := now - unheard.at) > self._timeout:
            return f"no broker has answered for {unheard.number} partitions in {idle:.0f} s"
        if (idle := now - self._heard_at) > max(self._timeout, _ASKED_WITHIN):
            return f"no broker has answered for {idle:.0f} s"
        return ""

    def unready(self) -> str:
        """See `HealthProbe`."""
        if self.model is None:
            return "no model is loaded yet"
        if self._cut_off or self._clock() - self._heard_at > _ASKED_WITHIN:
            return "no broker can be reached"
        if not self._assigned:
            return "no partition is assigned yet"
        return self.stalled()


class ProducerHealth:
    """A producer lives while it sends.

    Args:
        timeout: Seconds without a record sent after which it is not alive.
    """

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout, self._clock = timeout, clock
        self._last_sent: float | None = None
        self._begin = clock()

    def on_rows(self) -> None:
        """Take note that records were sent."""
        self._last_sent = self._clock()

    def stalled(self) -> str:
        """See `HealthProbe`."""
        since = self._begin if self._last_sent is None else self._last_sent
        if (idle := self._clock() - since) > self._timeout:
            return f"nothing was sent for {idle:.0f} s"
        return ""

    def unready(self) -> str:
        """See `HealthProbe`."""
        return "nothing is sent yet" if self._last_sent is None else self.stalled()

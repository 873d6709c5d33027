"""The wish to stop: from a signal, or from a caller."""

import signal
import sys
import time
from types import FrameType

from churnstream.deadline import Deadline

_TIMEOUT = 3.5  # seconds: a stop is promised within 5

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignal:
    """Set by SIGINT and SIGTERM once `listen` was called; asked between batches."""

    def __init__(self) -> None:
        self._asked: Deadline | None = None  # and until when waiting may take
        self._number: int = signal.SIGTERM  # of the signal that came

    def listen(self) -> None:
        """Take over SIGINT, SIGTERM and SIGHUP (the terminal is closed) of this process."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def end_at_once(self) -> None:
        """Let these signals end this process from now on; at once, if one has come already.

        Not by their default action: process number 1 of a container has none.
        """
        for number in _SIGNALS:
            signal.signal(number, _end)
        if self.requested():
            _end(self._number, None)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self.request()

    def request(self) -> None:
        """Ask for a stop after the batch in hand."""
        self._asked = self._asked or Deadline(_TIMEOUT)

    def requested(self) -> bool:
        """Whether a stop was asked for."""
        return self._asked is not None

    def overdue(self) -> bool:
        """Whether it was asked for so long ago that waiting for a broker must end."""
        return self._asked is not None and self._asked.passed

    def wait(self, seconds: float = float("inf")) -> None:
        """Sleep until a stop is asked for, or for so many seconds."""
        deadline = Deadline(seconds)
        while not self.requested() and not deadline.passed:
            time.sleep(min(0.2, deadline.left))


def _end(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)  # as a shell would say it

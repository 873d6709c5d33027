"""A notifier beside a consumer, in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import structlog

from churnstream.deadline import Deadline
from churnstream.errors import BrokerError, ConfigurationError
from churnstream.kafka.admin import Admin
from churnstream.kafka.group_start import begin_at_end
from churnstream.pipeline.notify.connect_notifier import connect_notifier, group_of
from churnstream.pipeline.notify.notifier import Notifier, NotifyCounts
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.schema.schema import Schema
from churnstream.settings import Settings

log = structlog.get_logger(__name__)

_MAX_PAUSE = 60.0  # seconds between two attempts to go on after a fault
_ENDS_WITHIN = 3.5  # seconds that leaving may take
_GRACE = 0.5  # seconds more, after which the process ends without it


class NotifierThread:
    """Notifies until it is closed; no fault of it reaches the consumer.

    Args:
        schema: Of the predictions.
        stop: Ends it as well.

    Attributes:
        counts: What it did.

    Raises:
        ChurnstreamError: On construction, if it cannot begin.
    """

    def __init__(self, settings: Settings, schema: Schema, stop: StopSignal) -> None:
        self.counts = NotifyCounts()
        self._settings, self._schema, self._stop = settings, schema, stop
        self._closed = Event()
        begin_at_end(
            settings.kafka,
            Admin(settings.kafka, stop.requested),
            group_of(settings),
            settings.topics.output,
        )
        self._notifier: Notifier | None = self._connect()
        if settings.notify.secret is None:
            log.info("notify_unsigned", because="there is no notify.secret in the settings")
        self._thread = Thread(target=self._run, name="notify", daemon=True)
        self._thread.start()

    def _connect(self) -> Notifier:
        return connect_notifier(self._settings, self._schema, self.counts, self._stop)

    def _is_over(self) -> bool:
        return self._closed.is_set() or self._stop.requested()

    def _run(self) -> None:
        """Work, and begin anew after a fault: what was not kept is read again."""
        failures = 0
        while not self._is_over():
            began = time.monotonic()
            try:
                self._notifier = self._notifier or self._connect()
                self._notifier.run(self._is_over)
            except Exception as error:  # scoring goes on, whatever it is
                failures = 1 if time.monotonic() - began > _MAX_PAUSE else failures + 1
                is_ours = isinstance(error, BrokerError | ConfigurationError)
                words = str(error) if is_ours else type(error).__name__
                log.warning("notifier_failed", error=words, retrying=not self._is_over())
                self._notifier = None
                self._wait(min(_MAX_PAUSE, 2.0**failures))

    def _wait(self, seconds: float) -> None:
        deadline = Deadline(seconds)
        while not self._is_over() and not deadline.passed:
            self._closed.wait(min(0.2, deadline.left))

    def drain(self) -> bool:
        """Go on until everything that is committed now is dealt with, or time is up.

        Returns:
            Whether it is.
        """
        topic, deadline = self._settings.topics.output, Deadline(self._settings.notify.drain)
        ends = Admin(self._settings.kafka, self._stop.requested).latest_offsets(topic)
        while not (is_done := self._is_done(ends)):
            if deadline.passed or self._is_over():
                break
            time.sleep(0.05)
        return is_done

    def _is_done(self, ends: dict[int, int]) -> bool:
        notifier = self._notifier
        return notifier is not None and notifier.is_done(ends)

    def close(self) -> None:
        """End it; what is under way is sent again by the next run."""
        self._closed.set()
        deadline = Deadline(_ENDS_WITHIN)
        while self._thread.is_alive() and not deadline.passed and not self._stop.overdue():
            self._thread.join(0.1)
        self._thread.join(_GRACE)
        if self._thread.is_alive():
            log.warning("notifier_left", because="it did not end in time")

    def in_words(self) -> str:
        """What it did, and what it leaves, in one line."""
        totals, waiting = self.counts.totals, self.counts.pending
        left = sum(self.counts.lags.values())
        line = f"{totals['delivered']:,} notified, {totals['refused']:,} refused"
        if not (waiting or left):
            return line
        return (
            f"{line}; {waiting:,} wait and {left:,} predictions are not dealt with: the next run "
            "goes on there"
        )


@contextmanager
def notifying(
    settings: Settings, schema: Schema, stop: StopSignal
) -> Iterator[NotifierThread | None]:
    """Notify for the length of a with-block, if an address for it is set; else yield None.

    Raises:
        ChurnstreamError: It cannot begin.
    """
    if settings.notify.url is None:
        yield None
        return
    thread = NotifierThread(settings, schema, stop)
    try:
        yield thread
    finally:
        thread.close()

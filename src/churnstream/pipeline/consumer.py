"""The consumer: events in, predictions and dead letters out."""

import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from datetime import UTC, datetime

import structlog

from churnstream.errors import AbortableError, BrokerError, TopicRecreatedError
from churnstream.kafka.polled_records import PolledRecords
from churnstream.kafka.reader import Reader
from churnstream.pipeline.batch_publisher import BatchInFlight, BatchPublisher, PublishTimes
from churnstream.pipeline.consumer_notices import Committed, Notice, RolledBack, Stepped
from churnstream.pipeline.flow_topics import FlowTopics
from churnstream.pipeline.log_context import context_of
from churnstream.pipeline.offset_window import OffsetWindow, Progress, furthest
from churnstream.pipeline.schema_wait import SchemaWait
from churnstream.pipeline.scoring import Batch, BatchScorer
from churnstream.pipeline.standby import Standby
from churnstream.pipeline.stop_signal import StopSignal

log = structlog.get_logger(__name__)

_IDLE = 0.5  # seconds to wait for a record before looking at the stop flag again
_MAX_WAIT = 30.0  # seconds that a rebalance waits for the batch in flight
_MAX_PAUSE = 5.0  # seconds between two attempts at a batch that keeps failing


class Consumer:
    """Scores one topic for one consumer group, batch by batch.

    While a batch is published, which is mostly waiting for the broker, the next one is polled and
    scored. Never more than one is in flight, and a batch is handed to publishing only when the one
    before it is committed: the order of commits is the order of reading.

    Args:
        reader: Where events come from.
        publisher: Where outcomes go to.
        scorer: Makes outcomes of events.
        topics: Looked for where something is missing.
        window: How far to read.
        schemas: Holds back what cannot be decoded yet.
        batch_size: Records at once, at most.
        listener: Called with every notice, for those who watch.
    """

    def __init__(
        self,
        reader: Reader,
        publisher: BatchPublisher,
        scorer: BatchScorer,
        topics: FlowTopics,
        window: OffsetWindow,
        *,
        schemas: SchemaWait,
        batch_size: int,
        listener: Callable[[Notice], None] = lambda _: None,
    ) -> None:
        self._reader, self._publisher, self._scorer = reader, publisher, scorer
        self._topics, self._window = topics, window
        self._schemas, self._listener = schemas, listener
        self._batch_size = self._room = batch_size  # at most, and now
        self._committed: dict[int, int] = {}  # by partition, also what is about to be
        self._in_flight: BatchInFlight | None = None
        self._failures = 0
        self._stop = StopSignal()
        self._standby = Standby()
        reader.membership.before_loss = self._end_in_flight

    def run(self, stop: StopSignal) -> None:
        """Work until the window is done or a stop is asked for, then leave the group.

        Raises:
            BrokerError: The broker is beyond repair for this process.
        """
        self._stop = stop
        try:
            while not self._is_finished():
                self.step()
        finally:
            self._publisher.close()
            self._reader.close()

    def _is_finished(self) -> bool:
        """A batch in flight may yet be rolled back, so it is waited for before the answer.

        Then there is more to do, unless a stop was asked for: after that nothing goes back.
        """
        if self._stop.requested():
            self._settle()
            return True
        assigned = self._reader.membership.assigned
        if self._window.is_bounded and not assigned:
            # More consumers than partitions: the others may do it all.
            with suppress(BrokerError):
                self._window.note_group(self._reader.group_offsets())
        if not self._window.is_done(assigned):
            return False
        return self._settle() or self._stop.requested()

    def step(self) -> None:
        """Give every record of one poll its outcome.

        1. Poll a batch. 2. Decode and check, then score, outside of any transaction. 3. See the
        batch before it committed. 4. Publish predictions and dead letters, then the offsets: in one
        transaction, or in this order. A record either lies before the committed offset, or will be
        read again.
        """
        begin = time.perf_counter()
        polled = self._poll()
        arrived = time.perf_counter()
        self._note_standby()
        inside = self._window.admit(polled)
        context = context_of(inside)
        batch = context.run(self._scorer.score, inside, datetime.now(UTC))
        self._say_stepped(polled, arrived - begin, time.perf_counter() - arrived)
        if not self._settle():
            return  # reading went back, so this batch comes again
        self._publish(context, batch, inside, self._window.advance(polled, len(batch)))
        if polled.again and not self._stop.requested():
            self._reader.rewind(polled.again)

    def _poll(self) -> PolledRecords:
        polled = self._reader.poll(self._window.room(self._room), _IDLE)
        ready, waiting = self._schemas.ready(polled)
        if waiting:
            self._reader.put_off(waiting)
        return ready

    def _note_standby(self) -> None:
        assigned = bool(self._reader.membership.assigned)
        if self._standby.note(assigned=assigned, cut_off=self._reader.cut_off):
            self._topics.require_if_reachable()

    def _say_stepped(self, polled: PolledRecords, poll_s: float, score_s: float) -> None:
        reader, membership = self._reader, self._reader.membership
        self._listener(
            Stepped(
                polled,
                frozenset(membership.assigned),
                reader.end_offsets(),
                membership.rebalances,
                poll_s,
                score_s,
                reader.silence(),
                reader.cut_off,
            )
        )

    def _publish(
        self, context: Context, batch: Batch, inside: PolledRecords, before: Progress
    ) -> None:
        reached = furthest(batch.next_offsets, inside.end_offsets)
        offsets = {p: o for p, o in reached.items() if self._committed.get(p) != o}
        if offsets:
            self._committed |= offsets
            metadata = self._reader.group_metadata()
            self._in_flight = self._publisher.submit(context, batch, offsets, metadata, before)

    def _end_in_flight(self, still_ours: bool) -> None:
        """Let the batch in flight end, well or badly, and store its offsets while they are ours.

        Not for ever: while the broker is away the group has long given us up, and the broker
        rejects a batch of a member that is no more.
        """
        if in_flight := self._in_flight:
            in_flight.wait(_MAX_WAIT)
            if still_ours:
                in_flight.commit_in_rebalance()

    def _settle(self) -> bool:
        """See the batch in flight committed, or roll it back and return False."""
        if self._in_flight is None:
            return True
        ended, self._in_flight = self._in_flight, None
        ended.wait()
        return ended.context.run(self._conclude, ended)

    def _conclude(self, ended: BatchInFlight) -> bool:
        """See `_settle`; in the context of the batch that ended."""
        try:
            times = ended.commit()
        except AbortableError as error:
            if isinstance(error, TopicRecreatedError) and self._window.is_bounded:
                raise BrokerError(
                    f"{error}, and what was to be read is gone; run it again"
                ) from error
            log.warning("batch_rolled_back", events=len(ended.batch), error=str(error))
            self._roll_back(ended)
            return False
        self._note_commit(ended, times)
        return True

    def _note_commit(self, ended: BatchInFlight, times: PublishTimes) -> None:
        self._failures = 0
        self._room = min(self._batch_size, 2 * self._room)
        self._listener(Committed(ended.batch, ended.offsets, *times))

    def _roll_back(self, failed: BatchInFlight) -> None:
        """Undo it, read again from the group's offsets, and give the cause time to pass.

        The group's offsets show as well if it was committed, and only the answer was lost.
        """
        self._committed.clear()
        failed.roll_back()
        offsets: dict[int, int] = {}
        if not self._stop.requested():  # or others read it again
            self._topics.require_if_reachable()
            offsets = self._reader.rewind()
        if all(offsets.get(p, -1) >= offset for p, offset in failed.offsets.items()):
            log.info("batch_committed_after_all", events=len(failed.batch))
            self._note_commit(failed, PublishTimes(now := time.time(), now))
        else:
            self._window.progress = failed.before
            self._listener(RolledBack(failed.batch))
            self._failures += 1
            self._room = max(1, self._room // 2)  # the whole may take longer than it is given
            self._stop.wait(min(_MAX_PAUSE, 0.1 * 2**self._failures))

"""The consumer: events in, predictions and dead letters out."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import Context
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from churnstream.errors import (
    AbortableError,
    BrokerError,
    BrokerUnreachableError,
    TopicRecreatedError,
)
from churnstream.kafka.polled import Polled
from churnstream.kafka.reader import Reader
from churnstream.kafka.writer import MOST_BYTES
from churnstream.pipeline.delivery import Delivery
from churnstream.pipeline.log_context import context_of
from churnstream.pipeline.notices import Committed, Notice, RolledBack, Stepped
from churnstream.pipeline.scoring import Batch, Explained, Scorer, score_batch
from churnstream.pipeline.standby import Standby
from churnstream.pipeline.stop import Stop
from churnstream.pipeline.window import Window, furthest

log = structlog.get_logger(__name__)

_IDLE = 0.5  # seconds to wait for a record before looking at the stop flag again
_LONGEST_WAIT = 30.0  # seconds that a rebalance waits for the batch under way
_LONGEST_PAUSE = 5.0  # seconds between two attempts at a batch that keeps failing


class _UnderWay(NamedTuple):
    """A batch that is being published; `context` holds what its log lines carry."""

    context: Context
    batch: Batch
    offsets: Mapping[int, int]
    done: Future[tuple[float, float]]
    undo: Callable[[], None]
    is_kept: bool = False  # whether its place is stored already


class Consumer:
    """Scores one topic for one consumer group, batch by batch.

    While a batch is published, which is mostly waiting for the broker, the next one is polled and
    scored. Never more than one is under way, and a batch is handed to publishing only when the one
    before it is committed: the order of commits is the order of reading.

    Args:
        reader: Where events come from.
        delivery: Where outcomes go to.
        scorer: Asked for the model before each batch: all of a batch is by one model.
        window: How far to read.
        most_letter_bytes: The largest record that the dead-letter topic takes.
        max_prediction_bytes: The largest one that the output topic takes.
        explained: Which predictions get reasons.
        check_topics: Raises TopicMissingError if a topic of the flow is gone.
        before_publishing: Called before outcomes are published; raises TopicRecreatedError if their
            events are of a topic that is gone.
        on_batch: Told of every batch once it is committed.
        tell: Told of every step, for those who watch.
    """

    def __init__(
        self,
        reader: Reader,
        delivery: Delivery,
        scorer: Callable[[], Scorer],
        window: Window,
        *,
        group: str,
        batch_size: int,
        most_letter_bytes: int,
        max_prediction_bytes: int = MOST_BYTES,
        explained: Explained = "top",
        check_topics: Callable[[], None] = lambda: None,
        before_publishing: Callable[[], None] = lambda: None,
        on_batch: Callable[[Batch], None] = lambda _: None,
        tell: Callable[[Notice], None] = lambda _: None,
    ) -> None:
        self._reader = reader
        self._delivery = delivery
        self._scorer = scorer
        self._window = window
        self._group = group
        self._batch_size = batch_size
        self._most_letter_bytes = most_letter_bytes
        self._max_prediction_bytes = max_prediction_bytes
        self._explained = explained
        self._check_topics = check_topics
        self._before_publishing = before_publishing
        self._on_batch = on_batch
        self._tell = tell
        self._places: dict[int, int] = {}
        self._publisher = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._under_way: _UnderWay | None = None
        self._failures = 0
        self._stop = Stop()
        self._standby = Standby()
        reader.before_loss = self._wait

    def run(self, stop: Stop) -> None:
        """Work until the window is done or a stop is asked for, then leave the group.

        Raises:
            BrokerError: The broker is beyond repair for this process.
        """
        self._stop = stop
        try:
            while not self._is_finished():
                self.step()
        finally:
            self._publisher.shutdown()
            self._reader.close()

    def _is_finished(self) -> bool:
        """A batch under way may yet be rolled back, so it is waited for before the answer.

        Then there is more to do, unless a stop was asked for: after that nothing goes back.
        """
        if self._stop.requested():
            return self._settle() or True
        if self._window.is_bounded and not self._reader.assigned:
            # More members than partitions: the others may do it all.
            with suppress(BrokerError):
                self._window.note_places(self._reader.group_places())
        if not self._window.is_done(self._reader.assigned):
            return False
        return self._settle() or self._stop.requested()

    def step(self) -> None:
        """Give every record of one poll its outcome.

        1. Poll a batch. 2. Decode and check, then score, outside of any transaction. 3. See the
        batch before it committed. 4. Publish predictions and dead letters, then the place: in one
        transaction, or in this order. A record is either behind the committed place, or will be
        read again.
        """
        begin = time.perf_counter()
        polled = self._reader.poll(self._window.room(self._batch_size), _IDLE)
        arrived = time.perf_counter()
        reader = self._reader
        if self._standby.note(assigned=bool(reader.assigned), cut_off=reader.cut_off):
            self._look_for_topics()
        inside = self._window.admit(polled)
        context = context_of(inside)
        batch = context.run(self._score, inside)
        self._tell_of(polled, arrived - begin, time.perf_counter() - arrived)
        if not self._settle():
            return  # reading went back, so this batch comes again
        self._publish(context, batch, inside, self._window.advance(polled, len(batch)))
        if polled.again and not self._stop.requested():
            self._reader.rewind(polled.again)

    def _score(self, inside: Polled) -> Batch:
        return score_batch(
            inside,
            self._scorer(),
            group=self._group,
            now=datetime.now(UTC),
            most_letter_bytes=self._most_letter_bytes,
            max_prediction_bytes=self._max_prediction_bytes,
            explained=self._explained,
        )

    def _tell_of(self, polled: Polled, poll_s: float, score_s: float) -> None:
        reader = self._reader
        assigned = frozenset(reader.assigned)
        self._tell(
            Stepped(
                polled,
                assigned,
                reader.ends(),
                reader.rebalances,
                poll_s,
                score_s,
                reader.silence(),
                reader.cut_off,
            )
        )

    def _publish(
        self, context: Context, batch: Batch, inside: Polled, undo: Callable[[], None]
    ) -> None:
        places = furthest(batch.places, inside.ends)
        offsets = {p: o for p, o in places.items() if self._places.get(p) != o}
        if offsets:
            self._places |= offsets
            done = self._publisher.submit(
                context.run,
                _timed,
                self._deliver,
                batch.predictions,
                batch.dead_letters,
                offsets,
                self._reader.group_metadata(),
            )
            self._under_way = _UnderWay(context, batch, offsets, done, undo)

    def _deliver(self, *outcome: Any) -> None:  # noqa: ANN401  # as `Delivery.publish` takes it
        self._before_publishing()
        self._delivery.publish(*outcome)

    def _wait(self, still_ours: bool) -> None:
        """Let the batch under way end, well or badly, and store its place while it is ours.

        Not for ever: while the broker is away the group has long given us up, and the broker
        refuses a batch of a member that is no more.
        """
        if (under_way := self._under_way) is None:
            return
        wait([under_way.done], _LONGEST_WAIT)
        if still_ours and under_way.done.done() and under_way.done.exception() is None:
            with suppress(BrokerError):
                self._delivery.keep_place(under_way.offsets, in_rebalance=True)
                self._under_way = under_way._replace(is_kept=True)

    def _settle(self) -> bool:
        """See the batch under way committed, or roll it back and return False."""
        if self._under_way is None:
            return True
        ended, self._under_way = self._under_way, None
        wait([ended.done])
        return ended.context.run(self._conclude, ended)

    def _conclude(self, ended: _UnderWay) -> bool:
        """See `_settle`; in the context of the batch that ended."""
        try:
            began_and_ended = ended.done.result()
            if not ended.is_kept:
                self._delivery.keep_place(ended.offsets, in_rebalance=False)
        except AbortableError as error:
            if isinstance(error, TopicRecreatedError) and self._window.is_bounded:
                raise BrokerError(
                    f"{error}, and what was to be read is gone; run it again"
                ) from error
            log.warning("batch_rolled_back", events=len(ended.batch), error=str(error))
            self._roll_back(ended)
            return False
        self._note_commit(ended, *began_and_ended)
        return True

    def _note_commit(self, ended: _UnderWay, began: float, end: float) -> None:
        self._failures = 0
        self._tell(Committed(ended.batch, ended.offsets, began, end))
        if len(ended.batch):
            self._on_batch(ended.batch)

    def _look_for_topics(self) -> None:
        """A topic that is gone ends the process, also where the client does not tell of it."""
        with suppress(BrokerUnreachableError):
            self._check_topics()

    def _roll_back(self, failed: _UnderWay) -> None:
        """Undo it, read again from the group's place, and give the cause time to pass.

        The group's place tells as well if it was committed, and only the answer was lost.
        """
        self._places.clear()
        self._delivery.roll_back()
        places: dict[int, int] = {}
        if not self._stop.requested():  # or others read it again
            self._look_for_topics()
            places = self._reader.rewind()
        if all(places.get(p, -1) >= place for p, place in failed.offsets.items()):
            log.info("batch_committed_after_all", events=len(failed.batch))
            self._note_commit(failed, now := time.time(), now)
        else:
            failed.undo()
            self._tell(RolledBack(failed.batch))
            self._failures += 1
            self._stop.wait(min(_LONGEST_PAUSE, 0.1 * 2**self._failures))


def _timed(call: Callable[..., None], *args: object) -> tuple[float, float]:
    """Call; when it began and when it ended, in seconds since 1970."""
    began = time.time()
    call(*args)
    return began, time.time()

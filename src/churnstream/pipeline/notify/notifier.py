"""Reads predictions, and sees that of each customer who becomes likely to leave a webhook is sent.

It reads what is committed, in a group of its own and behind the consumer, which it never holds up.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from threading import Lock

import structlog

from churnstream.deadline import Deadline
from churnstream.errors import AbortableError
from churnstream.kafka.polled_records import PolledRecords
from churnstream.kafka.reader import Reader
from churnstream.pipeline.delivery import Delivery
from churnstream.pipeline.notify.courier import Courier
from churnstream.pipeline.notify.notified_topic import KnownCustomers, encode_state
from churnstream.pipeline.notify.pending_changes import PendingChanges
from churnstream.pipeline.notify.risk_changes import AtRisk, RiskChange
from churnstream.pipeline.notify.webhook_answer import WebhookAnswer
from churnstream.records.notification import NotifiedCustomer

log = structlog.get_logger(__name__)

_BATCH = 5_000
_MAX_PENDING = 2_000  # customers whose notifications wait in memory; then no more records are read
_MAX_UNKEPT = 20_000  # nor where one that fails keeps so many others from being kept
_IDLE, _BUSY = 0.5, 0.05  # seconds to wait for a record, without and with notifications under way
_COMMIT_EVERY = 1.0  # seconds; what was sent in the last one is sent again after a kill


class NotifyCounts:
    """What became of notifications since the start, for whoever watches; any thread may count.

    Attributes:
        totals: By outcome: delivered, refused, retried.
        pending: Customers whose notifications wait.
        lags: By partition that is ours, predictions that were not dealt with yet.
        on_outcome: Called with each outcome.
    """

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self.pending = 0
        self.lags: dict[int, int] = {}
        self.on_outcome: Callable[[str], None] = lambda _: None
        self._lock = Lock()

    def add(self, outcome: str) -> None:
        """Count one attempt."""
        with self._lock:
            self.totals[outcome] += 1
        self.on_outcome(outcome)


class Notifier:
    """Belongs to the thread that runs it.

    Args:
        reader: Of the predictions.
        delivery: Keeps what is known of customers together with the group's offsets.
        courier: Sends.
        at_risk: Finds what changes.
        known: Takes partitions; what was known of their customers before.
        counts: Kept up to date.
        interval: Seconds between two lines in the log.

    Attributes:
        committed: By partition, the offset up to which everything is dealt with, for good.
    """

    def __init__(
        self,
        reader: Reader,
        delivery: Delivery,
        courier: Courier,
        at_risk: AtRisk,
        known: Callable[[Collection[int]], Mapping[int, KnownCustomers]],
        counts: NotifyCounts,
        *,
        interval: float,
    ) -> None:
        self._reader, self._delivery, self._courier = reader, delivery, courier
        self._at_risk, self._known, self._counts = at_risk, known, counts
        self._pending = PendingChanges()
        self._reached: dict[int, int] = {}
        self.committed: dict[int, int] = {}
        self._commit_due, self._log_due = Deadline(_COMMIT_EVERY), Deadline(interval)
        self._said: Counter[str] = Counter()
        self._refusals_said: set[str] = set()

    def run(self, is_over: Callable[[], bool]) -> None:
        """Work until it is over, then leave the group.

        Raises:
            BrokerError: The broker rejected it, or cannot be reached.
        """
        try:
            while not is_over():
                self.step()
            self._take_finished()
            self._commit()
            self._note_progress()
        finally:
            self._courier.close()
            self._reader.close()
            self._say()

    def step(self) -> None:
        """Read some records, send what they ask for, and keep what was answered."""
        self._reader.hold(len(self._pending) >= _MAX_PENDING or self._pending.unkept >= _MAX_UNKEPT)
        polled = self._reader.poll(_BATCH, _BUSY if self._pending else _IDLE)
        self._follow_partitions()
        self._read(polled)
        for change in self._pending.take_ready():
            self._courier.send(change)
        self._take_finished()
        if self._commit_due.passed:
            self._commit()
        if self._log_due.passed:
            self._say()
        self._note_progress()

    def is_done(self, ends: Mapping[int, int]) -> bool:
        """Whether all that is ours is dealt with up to these offsets; asked by another thread."""
        ours = set(self._reader.membership.assigned)
        reached = dict(self.committed)
        if not ours or self._counts.pending:
            return False
        return all(reached.get(p, -1) >= ends.get(p, 0) for p in ours)

    def _follow_partitions(self) -> None:
        """Forget partitions that were taken away, and learn of those that were given to us."""
        membership = self._reader.membership
        for p in {*membership.lost, *(set(self._at_risk.partitions) - membership.assigned)}:
            self._forget(p)
        if new := membership.assigned - set(self._at_risk.partitions):
            for p, known in self._known(new).items():
                self._at_risk.learn(p, known.keys)
                for change in known.refused.values():
                    self._pending.add(change)

    def _forget(self, partition: int) -> None:
        self._at_risk.forget(partition)
        self._pending.forget(partition)
        self._reached.pop(partition, None)
        self.committed.pop(partition, None)

    def _read(self, polled: PolledRecords) -> None:
        for change in self._at_risk.changes(polled):
            self._pending.add(change)
        ours = self._at_risk.partitions
        for p, end in [*polled.end_offsets.items(), *polled.next_offsets.items()]:
            if p in ours:
                self._reached[p] = max(self._reached.get(p, 0), end)
        if polled.again:
            self._reader.rewind(polled.again)

    def _take_finished(self) -> None:
        for change, answer in self._courier.take_finished():
            counts = self._pending.finish(change, encode_state(_state(change, answer)))
            if counts and answer.outcome == "refused":
                self._say_refused(change, answer)

    def _say_refused(self, change: RiskChange, answer: WebhookAnswer) -> None:
        """Say each answer once an interval: a wrong address refuses every customer."""
        if answer.words in self._refusals_said:
            return
        self._refusals_said.add(answer.words)
        name = change.notification.notification_id if change.notification else ""
        log.warning(
            "notification_refused",
            notification=name,
            because=answer.words,
            sent_again="at the next start, while the customer is likely to leave",
        )

    def _commit(self) -> None:
        """Keep what was answered, and how far everything is dealt with: both, or nothing."""
        self._commit_due = Deadline(_COMMIT_EVERY)
        offsets = self._pending.to_commit(self._reached)
        if not offsets:
            return
        states = self._pending.take_states(offsets)
        if not states and offsets == self.committed:
            return
        try:
            self._delivery.publish(states, (), offsets, self._reader.group_metadata())
            self._delivery.keep_offsets(offsets, in_rebalance=False)
        except AbortableError as error:
            log.warning("notifications_rolled_back", error=str(error))
            self._start_over()
        else:
            self.committed = offsets

    def _start_over(self) -> None:
        """Go on as if just started: what was not kept is read, and sent, again."""
        self._delivery.roll_back()
        for p in list(self._at_risk.partitions):
            self._forget(p)
        self._reader.rewind()

    def _note_progress(self) -> None:
        ends, self._counts.pending = self._reader.end_offsets(), len(self._pending)
        done = dict(self.committed)
        self._counts.lags = {p: max(0, end - done[p]) for p, end in ends.items() if p in done}

    def _say(self) -> None:
        """Write a line on what was done since the last one, if there was anything."""
        self._log_due = Deadline(self._log_due.seconds)
        new = self._counts.totals - self._said
        if new:
            log.info("notifications_sent", **new, waiting=len(self._pending))
        self._said = Counter(self._counts.totals)
        self._refusals_said.clear()


def _state(change: RiskChange, answer: WebhookAnswer) -> NotifiedCustomer:
    notification = change.notification
    assert notification is not None  # noqa: S101  # only those are sent
    is_refused = answer.outcome == "refused"
    return NotifiedCustomer(
        partition=change.partition,
        notification_id=notification.notification_id,
        notified_ts=datetime.now(UTC),
        refused=answer.words if is_refused else None,
        notification=notification if is_refused else None,
    )

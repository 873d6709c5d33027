# ruff: noqa: D102  # each method does what the method that it stands in for says
"""Hand-written stand-ins for the parts that speak to a broker, for tests without one.

Each keeps what it was asked to do, so that a test can compare it with what it expects. Parts that
share a `journal` note their calls in one list, which then holds the order of all of them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
from confluent_kafka import Message, TopicPartition
from numpy.typing import NDArray

from builders import TELCO, CustomerEvent
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.connection_settings import KafkaSettings
from churnstream.kafka.admin import Admin
from churnstream.kafka.group_offsets import GroupOffsets
from churnstream.kafka.polled_records import PolledRecords
from churnstream.kafka.reader import Reader
from churnstream.kafka.starting_offsets import StartingOffsets
from churnstream.kafka.writer import FullRecord, Record, Writer
from churnstream.pipeline.batch_publisher import BatchPublisher
from churnstream.pipeline.consumer import Consumer
from churnstream.pipeline.consumer_notices import Committed, Notice
from churnstream.pipeline.delivery import Delivery
from churnstream.pipeline.flow_topics import FlowTopics
from churnstream.pipeline.offset_window import OffsetWindow
from churnstream.pipeline.schema_wait import SchemaWait
from churnstream.pipeline.scoring import Batch, BatchScorer, Scorer
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.records.prediction import ReasonGiven

Journal = list[tuple[Any, ...]]


class FakeScorer:
    """Churn is as probable as the customer's months in percent; knows the values of Telco."""

    version = "v1"
    threshold = 0.5
    schema = TELCO

    def __init__(self) -> None:
        self.calls: list[int] = []
        self._decode = EventDecoder(TELCO)

    @property
    def decode(self) -> EventDecoder:
        return self._decode

    def score(self, events: Sequence[CustomerEvent]) -> NDArray[np.float64]:
        self.calls.append(len(events))
        return np.array([event.tenure / 100 for event in events], dtype=np.float64)

    def reasons(
        self, events: Sequence[CustomerEvent], probabilities: NDArray[np.float64], explained: str
    ) -> list[list[ReasonGiven] | None]:
        return [None] * len(events)


class FakeReader(Reader):
    """A member of a group, over partitions that are lists of records.

    The end of a partition is reported once, and again after it has grown; as with a real topic it
    may lie behind the last record, where a transaction left its marker.

    Attributes:
        committed: The group's offset, by partition.
        commits: Every commit, in order.
        asked: How many records each poll asked for.
        arrivals: By number of the poll, from 0, records that arrive just before it.
        losses: By number of the poll, partitions that are taken away and given back during it.
    """

    def __init__(
        self,
        partitions: Mapping[int, Sequence[Message]],
        *,
        committed: Mapping[int, int] | None = None,
        markers: int = 0,
        arrivals: Mapping[int, Sequence[Message]] | None = None,
        losses: Mapping[int, Collection[int]] | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.membership = FakeMembership(set(partitions))  # type: ignore[assignment]
        self.arrivals, self.losses = dict(arrivals or {}), dict(losses or {})
        self.partitions = {p: list(records) for p, records in partitions.items()}
        self.committed = dict(committed or {})
        self.commits: list[dict[int, int]] = []
        self.asked: list[int] = []
        self.rewinds = 0
        self.closed = False
        self.journal: Journal = [] if journal is None else journal
        self._markers = markers
        self._positions = {p: self.committed.get(p, 0) for p in self.partitions}
        self._told: dict[int, int] = {}

    @property
    def assigned(self) -> set[int]:
        return self.membership.assigned

    def poll(self, max_records: int, timeout: float) -> PolledRecords:
        most = max_records
        number = len(self.asked)
        self.asked.append(most)
        for record in self.arrivals.get(number, ()):
            self.partitions[record.partition() or 0].append(record)
        lost = frozenset(self.losses.get(number, ())) & self.assigned
        if lost:
            self.membership.before_loss(True)
            self.journal.append(("loss",))
        records: list[Message] = []
        ends: dict[int, int] = {}
        for p, log in self.partitions.items():
            waiting = [r for r in log if (r.offset() or 0) >= self._positions[p]]
            taken = waiting[: most - len(records)]
            records += taken
            if taken:
                self._positions[p] = (taken[-1].offset() or 0) + 1
            end = max([self._positions[p], *((r.offset() or 0) + 1 + self._markers for r in log)])
            if taken == waiting and self._told.get(p) != end:
                ends[p] = self._told[p] = end
        if lost:  # read, but no longer ours
            records = [record for record in records if record.partition() not in lost]
            ends = {p: end for p, end in ends.items() if p not in lost}
        return PolledRecords.of(records, ends)._replace(again=lost)

    def end_offsets(self) -> dict[int, int]:
        return {p: (log[-1].offset() or 0) + 1 for p, log in self.partitions.items() if log}

    def silence(self) -> float:
        return 0.0

    @property
    def cut_off(self) -> bool:
        return False

    def commit(self, offsets: Mapping[int, int]) -> None:
        self.journal.append(("commit", dict(offsets)))
        self.commits.append(dict(offsets))
        self.committed.update(offsets)

    def commit_in_rebalance(self, offsets: Mapping[int, int]) -> None:
        self.journal.append(("commit_in_rebalance", dict(offsets)))
        self.committed.update(offsets)

    def group_metadata(self) -> object:
        self.journal.append(("group_metadata",))
        return "metadata"

    def group_offsets(self) -> dict[int, int]:
        return dict(self.committed)

    def rewind(self, only: Collection[int] | None = None) -> dict[int, int]:
        self.rewinds += 1
        self.journal.append(("rewind",))
        for p in self.assigned if only is None else only:
            self._positions[p] = self.committed.get(p, 0)
            self._told.pop(p, None)
        return dict(self._positions)

    def close(self) -> None:
        self.closed = True


class FakeMembership:
    """The part of a membership that is looked at from outside."""

    def __init__(self, assigned: set[int]) -> None:
        self.assigned = assigned
        self.rebalances = 0
        self.before_loss: Callable[[bool], None] = lambda _: None


class FakeOffsets(GroupOffsets):
    """Offsets of a group without a broker to ask."""

    def __init__(self) -> None:
        """Has no topic, and no identity of one."""

    def to_commit(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        return [TopicPartition("telco.raw.customers", p, o) for p, o in offsets.items()]


class FixedIdentity:
    """A topic that stays the same."""

    topic_id = ""


def reader_of(
    settings: KafkaSettings,
    topic: str,
    group: str,
    *,
    starts: Mapping[int, int] | None = None,
    protocol: str = "classic",
) -> Reader:
    """A reader of the real client library, of a topic that is never made again."""
    offsets = GroupOffsets(topic, FixedIdentity())
    points = StartingOffsets(starts or {}, ())
    return Reader(settings, topic, group, offsets, points, protocol=protocol)


class FakeTopics(FlowTopics):
    """Topics that are there, unless `check` says otherwise.

    Args:
        check: Called where topics are looked for.
        before: Called before outcomes are published.
    """

    def __init__(
        self,
        check: Callable[[], None] = lambda: None,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._check, self._before = check, before

    def require(self) -> None:
        self._check()

    def before_publishing(self) -> None:
        self._before()


class ModelAt:
    """A source of models that asks a function for the current one."""

    def __init__(self, current: Callable[[], Scorer]) -> None:
        self.current = current


def score_batch(
    polled: PolledRecords,
    scorer: Scorer,
    now: datetime,
    *,
    max_dead_letter_bytes: int = 2**20,
    max_prediction_bytes: int = 2**20,
    explained: Literal["top", "all", "none"] = "top",
) -> Batch:
    """The outcome of a batch by one model."""
    return BatchScorer(
        ModelAt(lambda: scorer),
        group="group",
        max_dead_letter_bytes=max_dead_letter_bytes,
        max_prediction_bytes=max_prediction_bytes,
        explained=explained,
    ).score(polled, now)


def consumer_of(
    reader: Reader,
    delivery: Delivery,
    current: Callable[[], Scorer],
    window: OffsetWindow,
    *,
    batch_size: int = 100,
    topics: FlowTopics | None = None,
    on_batch: Callable[[Batch], None] = lambda _: None,
    listener: Callable[[Notice], None] = lambda _: None,
) -> Consumer:
    """A consumer on fakes; `on_batch` hears of every batch that is committed and not empty."""

    def listen(notice: Notice) -> None:
        listener(notice)
        if isinstance(notice, Committed) and len(notice.batch):
            on_batch(notice.batch)

    topics = topics or FakeTopics()
    scorer = BatchScorer(ModelAt(current), group="group", max_dead_letter_bytes=2**20)
    publisher = BatchPublisher(delivery, topics)
    return Consumer(
        reader,
        publisher,
        scorer,
        topics,
        window,
        schemas=SchemaWait(None),
        batch_size=batch_size,
        listener=listen,
    )


class FakeAdmin(Admin):
    """Answers questions about one topic from its attributes.

    Attributes:
        asked_moments: Of every question for the offsets at a timestamp.
    """

    def __init__(
        self,
        ends: Mapping[int, int],
        *,
        begins: Mapping[int, int] | None = None,
        committed: Mapping[int, int] | None = None,
        at: Mapping[int, int] | None = None,
        embedded: bool = True,
    ) -> None:
        self.embedded = embedded
        self.asked_moments: list[datetime] = []
        self._ends, self._at = dict(ends), dict(at or {})
        self._begins = dict(begins or dict.fromkeys(ends, 0))
        self._of_group = dict(committed or {})

    def partitions(self, topic: str) -> list[int]:
        return sorted(self._ends)

    def earliest_offsets(self, topic: str) -> dict[int, int]:
        return dict(self._begins)

    def latest_offsets(self, topic: str) -> dict[int, int]:
        return dict(self._ends)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        return dict(self._of_group)

    def offsets_at(self, topic: str, timestamp: datetime) -> dict[int, int]:
        self.asked_moments.append(timestamp)
        return dict(self._at)


class Published(NamedTuple):
    """What one call of `Delivery.publish` was given."""

    predictions: list[Record]
    dead_letters: list[FullRecord]
    offsets: dict[int, int]


class FakeDelivery:
    """Delivers to a list, and moves the offsets of the reader's group; fails when asked to.

    Attributes:
        published: What was published with success.
        attempts: How often it was tried.
        faults: Raised by the next publishes, one each; None lets one succeed.
    """

    def __init__(self, reader: FakeReader, faults: Iterable[Exception | None] = ()) -> None:
        self.published: list[Published] = []
        self.attempts = 0
        self.faults = list(faults)
        self._reader = reader

    def publish(
        self,
        predictions: Sequence[Record],
        dead_letters: Sequence[FullRecord],
        offsets: Mapping[int, int],
        membership: object,
    ) -> None:
        self.attempts += 1
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        self.published.append(Published(list(predictions), list(dead_letters), dict(offsets)))
        self._reader.commit(offsets)

    def keep_offsets(self, offsets: Mapping[int, int], *, in_rebalance: bool) -> None:
        """Publishing has kept it."""

    def roll_back(self) -> None:
        self._reader.journal.append(("roll_back",))


class FakeWriter(Writer):
    """Sends to its journal.

    Attributes:
        sent: Records by topic, in order.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal: Journal = [] if journal is None else journal
        self.sent: dict[str, list[Record]] = {}

    def _send(self, topic: str, records: Sequence[Record]) -> None:
        self.sent.setdefault(topic, []).extend(records)
        self.journal.append(("send", topic, len(records)))

    def send(self, topic: str, records: Sequence[Record]) -> None:
        self._send(topic, records)

    def send_full(self, topic: str, record: FullRecord) -> None:
        self._send(topic, [record])

    def flush(self) -> None:
        self.journal.append(("flush",))

    def unconfirmed(self) -> int:
        return 0

    def poll(self) -> None:
        self.journal.append(("poll",))

    def init_transactions(self) -> None:
        self.journal.append(("init_transactions",))

    def begin(self) -> None:
        self.journal.append(("begin",))

    def commit(
        self, offsets: list[TopicPartition] | None = None, group_metadata: object = None
    ) -> None:
        found = {position.partition: position.offset for position in offsets or []}
        self.journal.append(("commit_transaction", found, group_metadata))

    def abort(self) -> None:
        self.journal.append(("abort",))


class FakeSink:
    """Keeps rows and positions in memory.

    Attributes:
        keys: Of every row that was published, in order.
        positions: The position after each publish.
        resumed: What `start` was asked.
    """

    def __init__(self, position: int = 0) -> None:
        self.keys: list[bytes | None] = []
        self.positions: list[int] = []
        self.resumed: bool | None = None
        self._position = position

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()

    def start(self, *, resume: bool) -> int:
        self.resumed = resume
        return self._position if resume else 0

    def publish(self, records: Sequence[Record], rows: int) -> None:
        self.keys += [record["key"] for record in records]
        self.positions.append(rows)


class FakeStop(StopSignal):
    """Asks for a stop once it was asked `after` times; waits no time.

    Attributes:
        waits: Seconds of each wait.
    """

    def __init__(self, after: float = float("inf")) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._left = after

    def requested(self) -> bool:
        self._left -= 1
        return self._left < 0 or super().requested()

    def wait(self, seconds: float = float("inf")) -> None:
        self.waits.append(seconds)

"""The proof: every event has exactly one outcome.

An outcome is a prediction or a dead letter; both name the place of their event. The audit reads
the three topics as committed and counts the outcomes of each place.

While the pipeline works, the order of the snapshots keeps the verdict true: the group's place
first, then the ends of the outcomes, then those of the events. Every event before the group's place
had its outcome when that place was read, so one without is lost; an event behind it without an
outcome is still in flight.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.config import Settings
from churnstream.messages import UNDECODABLE, Offset, Partition
from churnstream.streaming.dead_letters import parse
from churnstream.streaming.kafka.admin import Admin
from churnstream.streaming.kafka.client import Message
from churnstream.streaming.kafka.scan import Scan

_EXAMPLES = 10
_NOWHERE = -1


class _Source(msgspec.Struct):
    """The part of a prediction that names its event."""

    source_partition: Partition
    source_offset: Offset


_decode_source = msgspec.json.Decoder(_Source).decode


class PartitionAudit(msgspec.Struct, frozen=True):
    """The verdict on one partition of the input topic.

    Attributes:
        events: Records in the partition, in the window.
        predictions: Outcomes of the first kind.
        dead_letters: Outcomes of the second kind.
        lost: Events before the group's place without an outcome.
        duplicated: Events with more than one outcome.
        orphaned: Places with an outcome where there is no event.
        in_flight: Events behind the group's place, still without an outcome.
        partition: -1 for outcomes that name a partition which the topic does not have.
        examples: Offsets of the first few lost, duplicated and orphaned.
    """

    partition: int
    events: int
    predictions: int
    dead_letters: int
    lost: int
    duplicated: int
    orphaned: int
    in_flight: int
    examples: dict[str, list[int]]


class Audit(msgspec.Struct, frozen=True):
    """The verdict on the whole.

    Attributes:
        exactly_once: No event is lost or duplicated, and no outcome is an orphan.
        complete: And none is in flight either.
        foreign: Records among the outcomes that are neither predictions nor dead letters of ours.
    """

    exactly_once: bool
    complete: bool
    events: int
    lost: int
    duplicated: int
    orphaned: int
    in_flight: int
    foreign: int
    partitions: list[PartitionAudit]


class _Ledger:
    """What is known of each offset of one partition, 9 bytes an offset.

    Args:
        start: First offset of the window.
        end: Its end.
        last: The end of the partition, which may lie behind the window.
    """

    def __init__(self, start: int, end: int, last: int) -> None:
        size = max(end - start, 0)
        self._start, self._last = start, last
        self.beyond: list[int] = []  # offsets of outcomes behind the end of the topic
        self.is_event = np.zeros(size, dtype=bool)
        self.predictions = np.zeros(size, dtype=np.uint32)
        self.dead_letters = np.zeros(size, dtype=np.uint32)

    def rows(self, offsets: Sequence[int]) -> NDArray[np.int64]:
        """Indices of those offsets that lie in the window."""
        rows = np.array(offsets, dtype=np.int64) - self._start
        return rows[(rows >= 0) & (rows < len(self.is_event))]

    def count(self, counts: NDArray[np.uint32], offsets: Sequence[int]) -> None:
        """Note outcomes; those outside the window are left out, those of no event kept apart."""
        np.add.at(counts, self.rows(offsets), 1)
        self.beyond += [offset for offset in offsets if offset >= self._last]

    def judge(self, partition: int, place: int) -> PartitionAudit:
        """The verdict, given the group's place."""
        outcomes = self.predictions + self.dead_letters
        missing = self.is_event & (outcomes == 0)
        offsets = np.arange(len(self.is_event)) + self._start
        found = {
            "lost": offsets[missing & (offsets < place)],
            "duplicated": offsets[self.is_event & (outcomes > 1)],
            "orphaned": np.append(offsets[~self.is_event & (outcomes > 0)], self.beyond),
        }
        return PartitionAudit(
            partition=partition,
            events=int(self.is_event.sum()),
            predictions=int(self.predictions.sum()),
            dead_letters=int(self.dead_letters.sum()),
            in_flight=int((missing & (offsets >= place)).sum()),
            examples={
                kind: which[:_EXAMPLES].astype(int).tolist() for kind, which in found.items()
            },
            **{kind: len(which) for kind, which in found.items()},
        )


def audit(
    settings: Settings,
    admin: Admin,
    starts: Mapping[int, int] | None = None,
    ends: Mapping[int, int] | None = None,
) -> Audit:
    """Count the outcomes of every event.

    Args:
        starts: First offset of the input topic to look at, by partition; None for the first there
            is.
        ends: Offset (exclusive) to look up to; None for all.

    Raises:
        BrokerError: A topic cannot be read.
    """
    topics, kafka = settings.topics, settings.kafka
    places = admin.committed(settings.consumer.group, topics.input)
    # After the places: what they have passed has its outcome written by now, if it has one.
    output_ends = admin.settled_ends(topics.output)
    letter_ends = admin.settled_ends(topics.deadletter)
    begins, last = admin.beginnings(topics.input), admin.ends(topics.input)
    starts = {p: max(begin, (starts or {}).get(p, 0)) for p, begin in begins.items()}
    ends = {p: min(end, (ends or {}).get(p, end)) for p, end in last.items()}

    ledgers = {p: _Ledger(starts[p], ends[p], last[p]) for p in ends}
    nowhere = _Ledger(0, 0, 0)  # outcomes that name a partition which the topic does not have
    foreign = 0
    for batch in Scan(kafka, topics.input, starts, ends):
        for p, offsets in _by_partition(map(_place, batch)).items():
            ledgers[p].is_event[ledgers[p].rows(offsets)] = True
    for batch in Scan(kafka, topics.output, admin.beginnings(topics.output), output_ends):
        sources = [_predicted(record) for record in batch]
        foreign += sources.count(None)
        for p, offsets in _by_partition(sources).items():
            ledger = ledgers.get(p, nowhere)
            ledger.count(ledger.predictions, offsets)
    for batch in Scan(kafka, topics.deadletter, admin.beginnings(topics.deadletter), letter_ends):
        sources = [_refused(record, topics.input) for record in batch]
        foreign += sources.count(None)
        for p, offsets in _by_partition(sources).items():
            ledger = ledgers.get(p, nowhere)
            ledger.count(ledger.dead_letters, offsets)
    rows = [ledgers[p].judge(p, places.get(p, 0)) for p in sorted(ledgers)]
    return _sum_up([*rows, nowhere.judge(_NOWHERE, 0)] if nowhere.beyond else rows, foreign)


def _place(record: Message) -> tuple[int, int]:
    return record.partition(), record.offset()  # type: ignore[return-value]


def _predicted(record: Message) -> tuple[int, int] | None:
    """The place that a prediction speaks of; None if the record is no prediction."""
    try:
        source = _decode_source(record.value() or b"")
    except UNDECODABLE:
        return None
    return source.source_partition, source.source_offset


def _refused(record: Message, topic: str) -> tuple[int, int] | None:
    """The place that a dead letter speaks of; None if it is not one of this topic."""
    try:
        letter = parse(record)
    except msgspec.ValidationError:
        return None
    return (letter.partition, letter.offset) if letter.topic == topic else None


def _by_partition(places: Iterable[tuple[int, int] | None]) -> dict[int, list[int]]:
    offsets: defaultdict[int, list[int]] = defaultdict(list)
    for place in places:
        if place is not None:
            offsets[place[0]].append(place[1])
    return offsets


def _sum_up(rows: list[PartitionAudit], foreign: int) -> Audit:
    events, lost, duplicated, orphaned, in_flight = (
        sum(getattr(row, name) for row in rows)
        for name in ("events", "lost", "duplicated", "orphaned", "in_flight")
    )
    exactly_once = not (lost or duplicated or orphaned)
    return Audit(
        exactly_once=exactly_once,
        complete=exactly_once and not in_flight,
        events=events,
        lost=lost,
        duplicated=duplicated,
        orphaned=orphaned,
        in_flight=in_flight,
        foreign=foreign,
        partitions=rows,
    )

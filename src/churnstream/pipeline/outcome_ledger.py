"""Counting outcomes: of each offset whether there is an event, and how often it was answered."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

_EXAMPLES = 10
_NOWHERE = -1

EventPosition = tuple[int, int]  # partition and offset of an event


class PartitionAudit(msgspec.Struct, frozen=True):
    """The verdict on one partition of the input topic.

    Attributes:
        events: Records in the partition, in the window.
        predictions: Outcomes of the first kind.
        dead_letters: Outcomes of the second kind.
        passed_over: Events that have no customer by the rules of the schema's source, which is an
            outcome, too, where they have no other: one of before the rule counts.
        lost: Events before the group's offset without an outcome.
        duplicated: Events with more than one outcome.
        orphaned: Positions with an outcome where there is no event.
        in_flight: Events behind the group's offset, still without an outcome.
        partition: -1 for outcomes that name a partition which the topic does not have.
        examples: Offsets of the first few lost, duplicated and orphaned.
    """

    partition: int
    events: int
    predictions: int
    dead_letters: int
    passed_over: int
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
        former: Offsets of the outcomes' topics that were left out: an earlier input topic of that
            name was scored then.
        beyond: Partitions where the group's offset lies beyond the end, so that it says nothing.
    """

    exactly_once: bool
    complete: bool
    events: int
    lost: int
    duplicated: int
    orphaned: int
    in_flight: int
    foreign: int
    former: int
    beyond: list[int]
    partitions: list[PartitionAudit]


class _PartitionLedger:
    """What is known of each offset of one partition, 10 bytes an offset.

    Args:
        start: First offset of the window.
        end: Its end.
        last: The end of the partition, which may lie behind the window.
    """

    def __init__(self, start: int, end: int, last: int) -> None:
        size = max(end - start, 0)
        self._start, self._last = start, last
        self.beyond = 0  # outcomes of offsets behind the end of the topic
        self._beyond_examples: list[int] = []
        self.is_event = np.zeros(size, dtype=bool)
        self.predictions = np.zeros(size, dtype=np.uint32)
        self.dead_letters = np.zeros(size, dtype=np.uint32)
        self.passed_over = np.zeros(size, dtype=bool)

    def rows(self, offsets: Sequence[int]) -> NDArray[np.int64]:
        """Indices of those offsets that lie in the window."""
        rows = np.array(offsets, dtype=np.int64) - self._start
        return rows[(rows >= 0) & (rows < len(self.is_event))]

    def count(self, counts: NDArray[np.uint32], offsets: Sequence[int]) -> None:
        """Note outcomes; those outside the window are left out, those of no event kept apart."""
        np.add.at(counts, self.rows(offsets), 1)
        beyond = [offset for offset in offsets if offset >= self._last]
        self.beyond += len(beyond)
        self._beyond_examples += beyond[: _EXAMPLES - len(self._beyond_examples)]

    def verdict(self, partition: int, committed: int) -> PartitionAudit:
        """The verdict, given the group's committed offset."""
        # A rule that came later passes over what has its outcome from before.
        self.passed_over &= (self.predictions + self.dead_letters) == 0
        outcomes = self.predictions + self.dead_letters + self.passed_over
        missing = self.is_event & (outcomes == 0)
        offsets = np.arange(len(self.is_event)) + self._start
        no_event = offsets[~self.is_event & (outcomes > 0)]
        found = {
            "lost": offsets[missing & (offsets < committed)],
            "duplicated": offsets[self.is_event & (outcomes > 1)],
            "orphaned": np.append(no_event, self._beyond_examples),
        }
        counts = {kind: len(which) for kind, which in found.items()}
        counts["orphaned"] = len(no_event) + self.beyond
        return PartitionAudit(
            partition=partition,
            events=int(self.is_event.sum()),
            predictions=int(self.predictions.sum()),
            dead_letters=int(self.dead_letters.sum()),
            passed_over=int(self.passed_over.sum()),
            in_flight=int((missing & (offsets >= committed)).sum()),
            examples={
                kind: which[:_EXAMPLES].astype(int).tolist() for kind, which in found.items()
            },
            **counts,
        )


class OutcomeLedger:
    """Takes note of events and outcomes, in any order.

    Args:
        starts: First offset of the window, by partition.
        ends: Its end (exclusive), by partition.
        last: The end of the topic, by partition.
    """

    def __init__(
        self, starts: Mapping[int, int], ends: Mapping[int, int], last: Mapping[int, int]
    ) -> None:
        self._partitions = {p: _PartitionLedger(starts[p], ends[p], last[p]) for p in ends}
        self._nowhere = _PartitionLedger(0, 0, 0)  # of partitions that the topic does not have
        self._foreign = 0

    def add_events(self, positions: Iterable[EventPosition]) -> None:
        """Note records of the input topic."""
        for p, offsets in _by_partition(positions).items():
            own = self._partitions[p]
            own.is_event[own.rows(offsets)] = True

    def add_passed_over(self, positions: Iterable[EventPosition]) -> None:
        """Note records of the input topic that are passed over by rule."""
        for p, offsets in _by_partition(positions).items():
            own = self._partitions[p]
            own.passed_over[own.rows(offsets)] = True

    def add_predictions(self, sources: Sequence[EventPosition | None]) -> None:
        """Note what the records of the output topic speak of; None for one that is not ours."""
        for own, offsets in self._known(sources):
            own.count(own.predictions, offsets)

    def add_dead_letters(self, sources: Sequence[EventPosition | None]) -> None:
        """Note what the records of the dead-letter topic speak of."""
        for own, offsets in self._known(sources):
            own.count(own.dead_letters, offsets)

    def _known(
        self, sources: Sequence[EventPosition | None]
    ) -> Iterable[tuple[_PartitionLedger, list[int]]]:
        self._foreign += sources.count(None)
        positions = (position for position in sources if position is not None)
        for p, offsets in _by_partition(positions).items():
            yield self._partitions.get(p, self._nowhere), offsets

    def verdict(
        self, committed: Mapping[int, int], *, former: int = 0, beyond: Sequence[int] = ()
    ) -> Audit:
        """The verdict on the whole.

        Args:
            committed: The group's committed offset by partition, read before any outcome.
            former: See `Audit`.
            beyond: See `Audit`.
        """
        rows = [
            self._partitions[p].verdict(p, committed.get(p, 0)) for p in sorted(self._partitions)
        ]
        if self._nowhere.beyond:
            rows.append(self._nowhere.verdict(_NOWHERE, 0))
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
            foreign=self._foreign,
            former=former,
            beyond=list(beyond),
            partitions=rows,
        )


def _by_partition(positions: Iterable[EventPosition]) -> dict[int, list[int]]:
    offsets: defaultdict[int, list[int]] = defaultdict(list)
    for partition, offset in positions:
        offsets[partition].append(offset)
    return offsets

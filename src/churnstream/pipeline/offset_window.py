"""Which part of the topic a run may read: all of it for ever, or up to fixed offsets."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from churnstream.kafka.client import Message
from churnstream.kafka.polled_records import PolledRecords


class Progress(NamedTuple):
    """How far reading has come in a window.

    Attributes:
        left: How many records may still be read; None for no limit.
        reached: By partition, the offset up to which it was read.
    """

    left: int | None
    reached: Mapping[int, int]


class OffsetWindow:
    """Admits records up to an end offset per partition, and up to a number in all.

    A partition is finished when its end offset is reached *or* reading came to the partition's
    end: the last offsets before an end may hold transaction markers, which never arrive.

    Args:
        ends: End offset (exclusive) by partition; None for no end.
        max_records: At most so many; None for no limit.
        void: By partition, an offset of the group that says nothing: it lay beyond the end before
            reading began.

    Attributes:
        progress: Set it to an earlier one to go back, should a batch be rolled back.
    """

    def __init__(
        self,
        ends: Mapping[int, int] | None = None,
        max_records: int | None = None,
        void: Mapping[int, int] | None = None,
    ) -> None:
        self._ends = None if ends is None else dict(ends)
        self._void = dict(void or {})
        self.progress = Progress(max_records, {})

    def room(self, max_records: int) -> int:
        """How many records may be polled next, at most `max_records`."""
        left = self.progress.left
        return max_records if left is None else min(max_records, left)

    def admit(self, polled: PolledRecords) -> PolledRecords:
        """Leave out what lies behind the window."""
        if self._ends is None:
            return polled
        ends = self._ends
        caps = {p: min(end, ends[p]) for p, end in polled.end_offsets.items() if p in ends}
        if all(offset <= ends.get(p, 0) for p, offset in polled.next_offsets.items()):
            return polled._replace(end_offsets=caps)
        inside = [r for r in polled.records if _is_before(r, ends)]
        return PolledRecords.of(inside, caps)

    def advance(self, polled: PolledRecords, admitted: int) -> Progress:
        """Note how far reading came.

        Args:
            polled: All that was read, before `admit`.
            admitted: How many of its records were.

        Returns:
            How far it had come before.
        """
        before = self.progress
        left = None if before.left is None else before.left - admitted
        self.progress = Progress(
            left, {**before.reached, **polled.next_offsets, **polled.end_offsets}
        )
        return before

    def start_from(self, offsets: Mapping[int, int]) -> None:
        """Note where reading begins, so that what is finished already is not waited for."""
        self._reach(offsets)
        if self._ends is not None:
            # A group that has read further keeps its offset: an end never moves it back.
            self._ends |= {p: max(end, offsets.get(p, 0)) for p, end in self._ends.items()}

    def _reach(self, offsets: Mapping[int, int]) -> None:
        self.progress = Progress(self.progress.left, {**self.progress.reached, **offsets})

    @property
    def is_bounded(self) -> bool:
        """Whether it has an end at all."""
        return self._ends is not None

    def note_group(self, offsets: Mapping[int, int]) -> None:
        """Note how far the group has come elsewhere."""
        reached = self.progress.reached
        known = dict(offsets.items() - self._void.items())
        self._reach({p: max(offset, reached.get(p, 0)) for p, offset in known.items()})

    def is_done(self, assigned: Collection[int]) -> bool:
        """Whether all that this process is assigned is read, or the number is reached.

        One without partitions is done when the group is.
        """
        if self._ends is None:
            return False
        if self.progress.left == 0:
            return True
        mine = [p for p in assigned if p in self._ends] or list(self._ends)
        return all(self.progress.reached.get(p, 0) >= self._ends[p] for p in mine)


def _is_before(record: Message, ends: Mapping[int, int]) -> bool:
    return record.offset() < ends.get(record.partition(), 0)  # type: ignore[operator,arg-type]


def furthest(processed: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, int]:
    """The offset to commit by partition.

    Where reading came to the end the offset is that end: transaction markers before it take up
    offsets, and the lag would never be 0. A record may have arrived since, hence the larger.
    """
    return {p: max(processed.get(p, 0), ends.get(p, 0)) for p in processed.keys() | ends.keys()}

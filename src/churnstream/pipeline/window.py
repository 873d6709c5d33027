"""Which part of the topic a run may read: all of it for ever, or up to fixed places."""

from collections.abc import Callable, Collection, Mapping

from churnstream.kafka.client import Message
from churnstream.kafka.polled import Polled


class Window:
    """Admits records up to an end offset per partition, and up to a number in all.

    A partition is finished when its end offset is reached *or* reading came to the partition's
    end: the last places before an end offset may hold transaction markers, which never arrive.

    Args:
        ends: End offset (exclusive) by partition; None for no end.
        most: At most so many records; None for no limit.
        void: By partition, a place of the group that says nothing: it lay beyond the end before
            reading began.
    """

    def __init__(
        self,
        ends: Mapping[int, int] | None = None,
        most: int | None = None,
        void: Mapping[int, int] | None = None,
    ) -> None:
        self._ends = None if ends is None else dict(ends)
        self._void = dict(void or {})
        self._left = most
        self._reached: dict[int, int] = {}

    def room(self, most: int) -> int:
        """How many records may be polled next, at most `most`."""
        return most if self._left is None else min(most, self._left)

    def admit(self, polled: Polled) -> Polled:
        """Leave out what lies behind the window."""
        if self._ends is None:
            return polled
        ends = self._ends
        caps = {p: min(end, ends[p]) for p, end in polled.ends.items() if p in ends}
        if all(place <= ends.get(p, 0) for p, place in polled.places.items()):
            return polled._replace(ends=caps)
        inside = [r for r in polled.records if _is_before(r, ends)]
        return Polled.of(inside, caps)

    def advance(self, polled: Polled, admitted: int) -> Callable[[], None]:
        """Note how far reading came.

        Args:
            polled: All that was read, before `admit`.
            admitted: How many of its records were.

        Returns:
            How to forget it again, should the batch be rolled back.
        """
        left, reached = self._left, dict(self._reached)
        self._reached.update(polled.places)
        self._reached.update(polled.ends)
        if self._left is not None:
            self._left -= admitted

        def undo() -> None:
            self._left, self._reached = left, reached

        return undo

    def start_from(self, places: Mapping[int, int]) -> None:
        """Note where reading begins, so that what is finished already is not waited for."""
        self._reached.update(places)
        if self._ends is not None:
            # A group that has read further keeps its place: an end never moves it back.
            self._ends |= {p: max(end, places.get(p, 0)) for p, end in self._ends.items()}

    @property
    def is_bounded(self) -> bool:
        """Whether it has an end at all."""
        return self._ends is not None

    def note_places(self, places: Mapping[int, int]) -> None:
        """Note how far the group has come elsewhere."""
        for partition, place in places.items() - self._void.items():
            self._reached[partition] = max(place, self._reached.get(partition, 0))

    def is_done(self, assigned: Collection[int]) -> bool:
        """Whether all that this process is assigned is read, or the number is reached.

        One without partitions is done when the group is.
        """
        if self._ends is None:
            return False
        if self._left == 0:
            return True
        mine = [p for p in assigned if p in self._ends] or list(self._ends)
        return all(self._reached.get(p, 0) >= self._ends[p] for p in mine)


def _is_before(record: Message, ends: Mapping[int, int]) -> bool:
    return record.offset() < ends.get(record.partition(), 0)  # type: ignore[operator,arg-type]


def furthest(processed: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, int]:
    """The place to commit by partition.

    Where reading came to the end the place is that end: transaction markers before it take up
    offsets, and the lag would never be 0. A record may have arrived since, hence the larger.
    """
    return {p: max(processed.get(p, 0), ends.get(p, 0)) for p in processed.keys() | ends.keys()}

"""Changes that are not dealt with yet, and what may be committed meanwhile."""

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import NamedTuple

from churnstream.kafka.writer import Record
from churnstream.pipeline.notify.risk_changes import SENT_AGAIN, RiskChange


class _State(NamedTuple):
    """What became of a customer by a change at an offset."""

    offset: int
    key: bytes
    value: bytes | None


class PendingChanges:
    """Keeps the changes of a customer in order, and those of different customers apart.

    A customer who is likely to leave, then is not, then is again within seconds has three changes:
    the second notification waits for the first.
    """

    def __init__(self) -> None:
        self._chains: defaultdict[tuple[int, bytes], deque[RiskChange]] = defaultdict(deque)
        self._open: defaultdict[int, dict[int, None]] = defaultdict(dict)  # offsets, ascending
        self._states: defaultdict[int, list[_State]] = defaultdict(list)  # not kept yet
        self._ready: list[RiskChange] = []

    def __len__(self) -> int:
        """How many customers wait."""
        return len(self._chains)

    @property
    def unkept(self) -> int:
        """How many states wait for an offset before them."""
        return sum(map(len, self._states.values()))

    def add(self, change: RiskChange) -> None:
        """Take a change, later than all of its partition before."""
        if change.offset != SENT_AGAIN:
            self._open[change.partition][change.offset] = None
        chain = self._chains[change.partition, change.key]
        chain.append(change)
        if len(chain) == 1:
            self._advance(change.partition, change.key)

    def take_ready(self) -> list[RiskChange]:
        """The notifications to send now; each is handed out once."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self, change: RiskChange, state: bytes) -> bool:
        """A notification was answered.

        Args:
            state: What to keep of it.

        Returns:
            Whether it counts: one whose partition was taken away meanwhile does not.
        """
        chain = self._chains.get((change.partition, change.key))
        if chain is None or chain[0] is not change:
            return False
        self._end(chain, state)
        self._advance(change.partition, change.key)
        return True

    def _advance(self, partition: int, key: bytes) -> None:
        """Deal with a customer's changes up to the next one that must be sent."""
        chain = self._chains[partition, key]
        while chain and chain[0].notification is None:
            self._end(chain, None)
        if chain:
            self._ready.append(chain[0])
        else:
            del self._chains[partition, key]

    def _end(self, chain: deque[RiskChange], state: bytes | None) -> None:
        ended = chain.popleft()
        self._states[ended.partition].append(_State(ended.offset, ended.key, state))
        self._open[ended.partition].pop(ended.offset, None)

    def to_commit(self, reached: Mapping[int, int]) -> dict[int, int]:
        """The offset up to which everything is dealt with, by partition.

        Args:
            reached: Up to where it was read, by partition.
        """
        return {p: min(next(iter(self._open[p]), end), end) for p, end in reached.items()}

    def take_states(self, offsets: Mapping[int, int]) -> list[Record]:
        """What to keep of customers whose changes were dealt with, in order.

        What lies behind an offset is left for later: records that are read again from there would
        meet a state that they have not led to yet, and seem to change it.

        Args:
            offsets: To commit with it, by partition.
        """
        taken: list[_State] = []
        for p, end in offsets.items():
            own = self._states[p]
            taken += [state for state in own if state.offset < end]
            self._states[p] = [state for state in own if state.offset >= end]
        return [{"key": state.key, "value": state.value} for state in taken]

    def forget(self, partition: int) -> None:
        """Drop what belongs to a partition."""
        for kept in (self._open, self._states):
            kept.pop(partition, None)
        for place in [place for place in self._chains if place[0] == partition]:
            del self._chains[place]
        self._ready = [change for change in self._ready if change.partition != partition]

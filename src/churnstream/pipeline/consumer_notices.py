"""What a consumer passes to its listeners, as it happens; it does not know who that is."""

from collections.abc import Mapping
from typing import NamedTuple

from churnstream.kafka.polled_records import PolledRecords
from churnstream.pipeline.scoring import Batch


class Stepped(NamedTuple):
    """A poll came back, with records or without, and they were scored.

    Attributes:
        assigned: The partitions that are ours.
        end_offsets: The end of each of them, where it is known.
        rebalances: How often partitions were given or taken since the start.
        poll_s: Seconds that the poll took, most of them waiting where there is little to do.
        score_s: Seconds to decode, check, score and encode.
        silence_s: Seconds since a broker was last heard; an idle client asks after some.
        cut_off: Whether the client says that no broker can be reached.
    """

    polled: PolledRecords
    assigned: frozenset[int]
    end_offsets: Mapping[int, int]
    rebalances: int
    poll_s: float
    score_s: float
    silence_s: float = 0.0
    cut_off: bool = False


class Committed(NamedTuple):
    """A batch, which may be empty, and the group's offsets are stored.

    Attributes:
        offsets: By partition, the group's new offset.
        began: When its first record was sent, seconds since 1970.
        ended: When the offsets were stored. The notice itself comes somewhat later.
    """

    batch: Batch
    offsets: Mapping[int, int]
    began: float
    ended: float


class RolledBack(NamedTuple):
    """A batch could not be committed and will be read again."""

    batch: Batch


Notice = Stepped | Committed | RolledBack

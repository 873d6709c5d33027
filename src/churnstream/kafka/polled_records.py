"""What one poll brought."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from churnstream.kafka.client import Message, positions_of


class PolledRecords(NamedTuple):
    """Records with their positions, and what else was heard meanwhile.

    Attributes:
        records: In offset order within each partition.
        partitions: Of each record.
        offsets: Of each record.
        first_offsets: First offset of each partition that has records.
        next_offsets: Last offset + 1 of each of them.
        end_offsets: Offset of each partition's end, for those that were read up to it.
        again: Partitions that were taken away and given back meanwhile: they have no records, and
            reading must go back to the group's offset in them (`Reader.rewind`).
    """

    records: list[Message]
    partitions: list[int]
    offsets: list[int]
    first_offsets: dict[int, int]
    next_offsets: dict[int, int]
    end_offsets: dict[int, int]
    again: frozenset[int] = frozenset()

    @classmethod
    def of(cls, records: list[Message], end_offsets: dict[int, int]) -> Self:
        """Take note of the positions of records."""
        partitions, offsets = positions_of(records)
        first = dict(zip(reversed(partitions), reversed(offsets), strict=True))
        last = dict(zip(partitions, offsets, strict=True))
        next_offsets = {p: offset + 1 for p, offset in last.items()}
        return cls(records, partitions, offsets, first, next_offsets, end_offsets)

    def since(self, starts: Mapping[int, int]) -> Self:
        """Leave out the records before these offsets, by partition."""
        if all(offset >= starts.get(p, 0) for p, offset in self.first_offsets.items()):
            return self
        rows = zip(self.records, self.partitions, self.offsets, strict=True)
        return self.of([r for r, p, offset in rows if offset >= starts.get(p, 0)], self.end_offsets)

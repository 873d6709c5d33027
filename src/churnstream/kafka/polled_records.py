"""What one poll brought."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from churnstream.kafka.client import Message, places_of


class PolledRecords(NamedTuple):
    """Records with their places, and what else was heard meanwhile.

    Attributes:
        records: In offset order within each partition.
        partitions: Of each record.
        offsets: Of each record.
        places: Last offset + 1 of each partition that has records.
        ends: Offset of each partition's end, for those that were read up to it.
        again: Partitions that were taken away and given back meanwhile: they have no records, and
            reading must go back to the group's place in them (`Reader.rewind`).
    """

    records: list[Message]
    partitions: list[int]
    offsets: list[int]
    places: dict[int, int]
    ends: dict[int, int]
    again: frozenset[int] = frozenset()

    @classmethod
    def of(cls, records: list[Message], ends: dict[int, int]) -> Self:
        """Take note of the places of records."""
        partitions, offsets = places_of(records)
        last = dict(zip(partitions, offsets, strict=True))
        places = {p: offset + 1 for p, offset in last.items()}
        return cls(records, partitions, offsets, places, ends)

    def since(self, places: Mapping[int, int]) -> Self:
        """Leave out the records before these places, by partition."""
        first = dict(zip(reversed(self.partitions), reversed(self.offsets), strict=True))
        if all(offset >= places.get(p, 0) for p, offset in first.items()):
            return self
        rows = zip(self.records, self.partitions, self.offsets, strict=True)
        return self.of([r for r, p, offset in rows if offset >= places.get(p, 0)], self.ends)

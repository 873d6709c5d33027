"""What one poll brought."""

from typing import NamedTuple, Self

from churnstream.streaming.kafka.client import Message, places_of


class Polled(NamedTuple):
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

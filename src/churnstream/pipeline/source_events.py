"""The events that predictions are of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Message
from churnstream.kafka.scan import Scan
from churnstream.pipeline.decoding import decode_records
from churnstream.pipeline.newest_predictions import NewestColumns
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.settings import Settings


class SourceEvents:
    """Iterates over the events that predictions are of, as far as they are still in the topic.

    Memory: some 150 bytes a prediction.

    An event counts only if it is of the same customer: the topic may be another by now.
    """

    def __init__(
        self, settings: Settings, schema: Schema, admin: Admin, found: NewestColumns
    ) -> None:
        self._settings, self._admin = settings, admin
        self._id_of, self._names = schema.id_of, found.names
        self._decode = EventDecoder(schema, closed=False)
        self._wanted = {
            int(p): _WantedOffsets.of(found.kept, int(p))
            for p in np.unique(found.kept["source_partition"])
        }

    def __iter__(self) -> Iterator[tuple[list[int], list[Event]]]:
        """Batches of events, with the numbers of the predictions that are of them.

        Raises:
            BrokerError: The input topic cannot be read.
        """
        topic = self._settings.topics.input
        earliest = self._admin.earliest_offsets(topic)
        latest = self._admin.latest_offsets(topic)
        ranges = {
            p: (max(earliest[p], wanted.first), min(latest[p], wanted.last + 1))
            for p, wanted in self._wanted.items()
            if p in latest
        }
        begins = {p: begin for p, (begin, end) in ranges.items() if begin < end}
        ends = {p: ranges[p][1] for p in begins}
        for batch in Scan(self._settings.kafka, topic, begins, ends):
            yield self._matched(batch)

    def _matched(self, batch: Sequence[Message]) -> tuple[list[int], list[Event]]:
        found = [self._number(record) for record in batch]
        wanted = [i for i, number in enumerate(found) if number >= 0]
        events = decode_records(self._decode, [batch[i] for i in wanted])
        numbers, known = [], []
        for i, event in zip(wanted, events, strict=True):
            if isinstance(event, Rejection | PassedOver):
                continue
            if self._id_of(event) == self._names[found[i]]:
                numbers.append(found[i])
                known.append(event)
        return numbers, known

    def _number(self, record: Message) -> int:
        return self._wanted[record.partition() or 0].numbers.get(record.offset() or 0, -1)


class _WantedOffsets(NamedTuple):
    """Offsets of a partition of the input topic, each with the number of its prediction."""

    first: int
    last: int
    numbers: Mapping[int, int]

    @classmethod
    def of(cls, kept: NDArray[Any], partition: int) -> "_WantedOffsets":
        at = np.flatnonzero(kept["source_partition"] == partition)
        offsets = kept["source_offset"][at]
        numbers = dict(zip(offsets.tolist(), at.tolist(), strict=True))
        return cls(int(offsets.min()), int(offsets.max()), numbers)

"""The events that predictions are of."""

from collections.abc import Iterator, Sequence

import numpy as np

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Message
from churnstream.kafka.scan import Scan
from churnstream.pipeline.decoding import decode_records, registry_values
from churnstream.pipeline.newest_predictions import NewestColumns
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.settings import Settings


class SourceEvents:
    """Iterates over the events that predictions are of, as far as they are still in the topic.

    Memory: some 110 bytes a prediction.

    An event counts only if it is of the same customer: the topic may be another by now, and
    predictions that somebody forged may speak of the events of others.
    """

    def __init__(
        self, settings: Settings, schema: Schema, admin: Admin, found: NewestColumns
    ) -> None:
        self._settings, self._admin = settings, admin
        self._id_of = schema.id_of
        self._decode = EventDecoder(schema, closed=False)
        self._opened = registry_values(settings, schema.source)
        self._numbers = {name: i for i, name in enumerate(found.names)}
        self._partitions = found.kept["source_partition"]
        self._offsets = found.kept["source_offset"]
        self._wanted = {
            int(p): np.unique(self._offsets[self._partitions == p])
            for p in np.unique(self._partitions)
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
            p: (max(earliest[p], int(wanted[0])), min(latest[p], int(wanted[-1]) + 1))
            for p, wanted in self._wanted.items()
            if p in earliest and p in latest
        }
        begins = {p: begin for p, (begin, end) in ranges.items() if begin < end}
        ends = {p: ranges[p][1] for p in begins}
        for batch in Scan(self._settings.kafka, topic, begins, ends):
            yield self._matched(batch)

    def _matched(self, batch: Sequence[Message]) -> tuple[list[int], list[Event]]:
        records = self._wanted_of(batch)
        found = decode_records(self._decode, records, self._opened)
        numbers, known = [], []
        for record, event in zip(records, found, strict=True):
            if isinstance(event, Rejection | PassedOver):
                continue
            number = self._numbers.get(self._id_of(event), -1)
            source = self._partitions[number], self._offsets[number]
            if number >= 0 and source == (record.partition(), record.offset()):
                numbers.append(number)
                known.append(event)
        return numbers, known

    def _wanted_of(self, batch: Sequence[Message]) -> list[Message]:
        """Those that some prediction is of; only these are decoded."""
        partitions = np.array([record.partition() for record in batch], dtype=np.int64)
        offsets = np.array([record.offset() for record in batch], dtype=np.int64)
        is_wanted = np.zeros(len(batch), dtype=np.bool_)
        for p in np.unique(partitions):
            mine = partitions == p
            is_wanted[mine] = np.isin(offsets[mine], self._wanted[int(p)])
        return [batch[i] for i in np.flatnonzero(is_wanted).tolist()]

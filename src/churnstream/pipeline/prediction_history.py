"""Predictions that are in the topic already, joined with the events that they speak of."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.prediction_codec import prediction_reader
from churnstream.escaping import printable
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Message
from churnstream.kafka.scan import Scan
from churnstream.pipeline.dead_letter_headers import parse_dead_letter
from churnstream.pipeline.decoding import decode_records, predictions_as_json, registry_values
from churnstream.pipeline.outcome_offsets import outcome_starts
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.settings import Settings

_MAX_VERSIONS = 20
_MAX_VERSION_LENGTH = 100


class ScoredHistory(NamedTuple):
    """A batch of events with what was predicted for them, all of one length."""

    events: list[Event]
    probabilities: NDArray[np.float64]
    says_yes: NDArray[np.bool_]
    partitions: list[int]
    offsets: list[int]


class PredictionHistory:
    """The outcomes of an offset range of the input topic.

    Memory: 17 bytes a prediction of the range.

    Args:
        schema: Of the events.
        starts: First offset of the input topic, by partition.
        ends: Offset (exclusive) by partition.

    Attributes:
        versions: The models that made the predictions, in order of appearance; the first twenty.
        foreign: By topic, records that are not what churnstream writes there; known once they
            were read.
    """

    def __init__(
        self,
        settings: Settings,
        schema: Schema,
        admin: Admin,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
    ) -> None:
        self.versions: dict[str, None] = {}
        self.foreign: Counter[str] = Counter()
        self._settings, self._admin = settings, admin
        self._starts, self._ends = starts, ends
        # Whoever scored may have known more categories than the schema lists.
        self._decode = EventDecoder(schema, closed=False)
        self._opened = registry_values(settings, schema.source)
        self._read_prediction = prediction_reader(schema, predictions_as_json(settings))

    def _scan(self, topic: str) -> Scan:
        """The outcomes that are in a topic now, without those of an earlier input topic."""
        begins = outcome_starts(self._settings, self._admin, [topic]).begins[topic]
        return Scan(self._settings.kafka, topic, begins, self._admin.latest_offsets(topic))

    def _inside(self, partition: int, offset: int) -> bool:
        return self._starts.get(partition, 0) <= offset < self._ends.get(partition, 0)

    def scored(self) -> Iterator[ScoredHistory]:
        """Events and predictions, in offset order within each partition."""
        tables = self._predictions()
        topic = self._settings.topics.input
        for batch in Scan(self._settings.kafka, topic, self._starts, self._ends):
            yield _join(batch, tables, decode_records(self._decode, batch, self._opened))

    def rejected(self) -> Iterator[tuple[Rejection, int, int]]:
        """Rejections with the partition and offset of the rejected record, each record once.

        Where there are no transactions, a crash may have written a dead letter twice.
        """
        seen: set[tuple[int, int]] = set()
        topic = self._settings.topics.deadletter
        self.foreign[topic] = 0
        for batch in self._scan(topic):
            for record in batch:
                try:
                    dead_letter = parse_dead_letter(record)
                except msgspec.ValidationError:
                    self.foreign[topic] += 1
                    continue
                position = dead_letter.partition, dead_letter.offset
                ours = dead_letter.topic == self._settings.topics.input and position not in seen
                if ours and self._inside(*position):
                    seen.add(position)
                    field, _, detail = dead_letter.message.partition(": ")
                    why = Rejection(dead_letter.reason, field, detail)
                    yield why, dead_letter.partition, dead_letter.offset

    def _predictions(self) -> dict[int, "_PredictionColumns"]:
        tables = {p: _PredictionColumns() for p in self._starts}
        topic = self._settings.topics.output
        self.foreign[topic] = 0
        for batch in self._scan(topic):
            for record in batch:
                made = self._read_prediction(record.value())
                if made is None:
                    self.foreign[topic] += 1
                elif self._inside(made.source_partition, made.source_offset):
                    self._note_version(made.model_version)
                    tables[made.source_partition].add(
                        made.source_offset, made.churn_probability, made.prediction == "Yes"
                    )
        return tables

    def _note_version(self, version: str) -> None:
        if len(self.versions) < _MAX_VERSIONS:
            self.versions[printable(version, _MAX_VERSION_LENGTH)] = None


class _PredictionColumns:
    """Predictions by source offset, in columns: an object each would take ten times the memory."""

    def __init__(self) -> None:
        self._offsets, self._probabilities = array("q"), array("d")
        self._says_yes = array("b")
        self._order: NDArray[np.int64] | None = None

    def add(self, offset: int, probability: float, says_yes: bool) -> None:
        self._offsets.append(offset)
        self._probabilities.append(probability)
        self._says_yes.append(says_yes)

    def look_up(
        self, offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]]:
        """For each offset: whether it was scored, its probability and its "Yes"."""
        known = np.frombuffer(self._offsets, dtype=np.int64)
        if self._order is None:
            self._order = np.argsort(known, kind="stable")
        if not len(known):
            none = np.zeros(len(offsets), dtype=bool)
            return none, np.zeros(len(offsets)), none
        at = np.searchsorted(known, offsets, sorter=self._order)
        rows = self._order[np.minimum(at, len(known) - 1)]
        probabilities = np.frombuffer(self._probabilities, dtype=np.float64)[rows]
        says_yes = np.frombuffer(self._says_yes, dtype=np.int8)[rows].astype(bool)
        return known[rows] == offsets, probabilities, says_yes


def _join(
    batch: list[Message],
    tables: Mapping[int, _PredictionColumns],
    events: list[Event | PassedOver | Rejection],
) -> ScoredHistory:
    partitions = np.array([r.partition() for r in batch], dtype=np.int64)
    offsets = np.array([r.offset() for r in batch], dtype=np.int64)
    found = np.zeros(len(batch), dtype=bool)
    probabilities = np.zeros(len(batch))
    says_yes = np.zeros(len(batch), dtype=bool)
    for p in np.unique(partitions):
        mine = partitions == p
        found[mine], probabilities[mine], says_yes[mine] = tables[int(p)].look_up(offsets[mine])
    # A prediction exists only for records that decode.
    no_event = (Rejection, PassedOver)
    rows = [i for i, e in enumerate(events) if found[i] and not isinstance(e, no_event)]
    return ScoredHistory(
        [events[i] for i in rows],
        probabilities[rows],
        says_yes[rows],
        partitions[rows].tolist(),
        offsets[rows].tolist(),
    )

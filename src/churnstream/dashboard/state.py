"""All that the live page knows: of customers, of the pipeline, and the last records."""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from churnstream.analysis.customer_fields import CustomerFields, Details
from churnstream.codecs.prediction_codec import AsJson, as_it_is
from churnstream.dashboard.bounded_texts import short_name
from churnstream.dashboard.customer_table import CustomerTable
from churnstream.dashboard.latency import LatencySeries
from churnstream.dashboard.processes import Process
from churnstream.dashboard.record_rates import RecordRate
from churnstream.dashboard.record_view import (
    NO_TIMESTAMP,
    Position,
    ShownRecord,
    record_of,
)
from churnstream.dashboard.risk_over_time import RiskOverTime
from churnstream.escaping import printable
from churnstream.kafka.client import Message
from churnstream.pipeline.topic_layout import PartitionState
from churnstream.records.dead_letter import DeadLetter
from churnstream.records.prediction import Prediction, ReasonGiven
from churnstream.schema.schema import Schema
from churnstream.schema.segments import OTHER

_MAX_PREDICTIONS = 1_000_000  # whose customer can be asked for the history
_MAX_DEAD_LETTERS = 500
_MAX_REASONS = 3  # of a prediction
_LATEST = 8
_NEWEST = 24
_MAX_VERSIONS = 20
_MAX_TEXT_LENGTH = 100
_MAX_TOPIC_LENGTH = 249  # Kafka has no longer ones
_MIN_TIMESTAMP = 946_684_800.0  # the year 2000: no prediction is older
_DAY = 86_400.0


class KeptPrediction(NamedTuple):
    """A prediction, as much of it as is kept.

    Attributes:
        name: Of the customer, short.
        leaving: Whether the prediction was "Yes".
        event_at: The event's own time, seconds since 1970.
        processed_at: When it was scored.
        at: The record's timestamp.
        source: Where the event lies.
        position: Where the prediction itself lies.
    """

    name: str
    risk: float
    leaving: bool
    event_at: float
    processed_at: float
    at: float
    version: str
    reasons: tuple[str, ...]
    source: Position
    position: Position

    @classmethod
    def of(
        cls,
        name: str,
        made: Prediction,
        at: float,
        position: Position,
        in_short: Callable[[ReasonGiven], str],
    ) -> "KeptPrediction":
        """What to keep of a prediction.

        Args:
            name: The customer's ID.
            in_short: Shortens a reason.
        """
        reasons = map(in_short, (made.reasons or ())[:_MAX_REASONS])
        return cls(
            short_name(name),
            made.churn_probability,
            made.prediction == "Yes",
            made.event_ts.timestamp(),
            made.processed_ts.timestamp(),
            at,
            printable(made.model_version, _MAX_TEXT_LENGTH),
            tuple(printable(text, _MAX_TEXT_LENGTH) for text in reasons),
            Position(made.source_partition, made.source_offset),
            position,
        )


class ListedDeadLetter(NamedTuple):
    """A dead letter as the page lists it.

    Attributes:
        at: When it was rejected, seconds since 1970.
        topic: Of the original.
        source: Where the original lies in that topic.
    """

    partition: int
    offset: int
    at: float
    reason: str
    message: str
    topic: str
    source: Position
    attempt: int

    @classmethod
    def of(cls, dead_letter: DeadLetter, position: Position) -> "ListedDeadLetter":
        """What to keep of a dead letter, and where it lies."""
        return cls(
            *position,
            dead_letter.failed_at.timestamp(),
            dead_letter.reason,
            printable(dead_letter.message),
            printable(dead_letter.topic, _MAX_TOPIC_LENGTH),
            Position(dead_letter.partition, dead_letter.offset),
            dead_letter.attempt,
        )


class ModelVersion(NamedTuple):
    """A model that made predictions."""

    name: str
    first: float
    predictions: int


class PastPrediction(NamedTuple):
    """An earlier prediction of a customer."""

    at: float
    risk: float
    partition: int
    offset: int


def _rank(one: ModelVersion) -> int:
    return one.predictions


_PAST = np.dtype(
    [("row", "i4"), ("risk", "f4"), ("at", "f8"), ("partition", "i4"), ("offset", "i8")]
)


class State:
    """Written by one thread, read by others; both hold `lock`.

    Args:
        schema: Of the events.

    Attributes:
        fields: What is shown of a customer.
        changes: Grows with everything that is taken note of.
        epoch: Grows when all records are forgotten.
        passed_over: By rule of the schema's source, events that are neither scored nor rejected.
        foreign: By topic, records that are not what churnstream writes there.
        others: Predictions of models that are no longer kept apart.
        problem: What keeps the page from being up to date, in words; "" if nothing does.
        problem_since: When that began, seconds since 1970.
        reading: Whether what was in the topics at the start is still being read.
        partitions: Topics as the broker last described them.
        processes: Producers and consumers as they last described themselves.
        shown: Makes JSON of what stands in the format of a registry.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema, self.fields = schema, CustomerFields(schema)
        self.lock = threading.RLock()
        self.changes = self.epoch = 0
        self.problem, self.problem_since = "", 0.0
        self.reading = True
        self.partitions: Sequence[PartitionState] = ()
        self.processes: Sequence[Process] = ()
        self.shown: AsJson = as_it_is
        self.clear()

    def clear(self) -> None:
        """Forget all records: the topics are others now."""
        self.epoch += 1
        self.customers = CustomerTable(self.fields)
        self.over_time = RiskOverTime()
        self.events = self.predictions = 0
        self.reasons: Counter[str] = Counter()
        self.passed_over: Counter[str] = Counter()
        self.dead_letters: deque[ListedDeadLetter] = deque(maxlen=_MAX_DEAD_LETTERS)
        self.latest: deque[KeptPrediction] = deque(maxlen=_LATEST)
        self.newest: defaultdict[str, deque[ShownRecord]] = defaultdict(
            lambda: deque(maxlen=_NEWEST)
        )
        self.foreign: Counter[str] = Counter()
        self.versions: dict[str, ModelVersion] = {}
        self.others = 0
        self.events_in, self.events_out = RecordRate(), RecordRate()
        self.rejected = RecordRate()
        self.latencies = LatencySeries()
        self.lags: deque[float | None] = deque([None] * 60, maxlen=60)
        self.last_outcome = 0.0
        self._past = np.zeros(_MAX_PREDICTIONS, dtype=_PAST)
        self._past["row"] = -1

    def set_problem(self, problem: str) -> None:
        """Say what is wrong, or with "" that nothing is any more."""
        if bool(problem) != bool(self.problem):
            self.problem_since = time.time()
        self.problem = problem

    def as_json(self, part: bytes | None) -> bytes | None:
        """A key or value, as JSON where it is in the format of a registry."""
        return self.shown(part)

    def add_newest(self, topic: str, records: Sequence[Message]) -> None:
        """Take note of the last of some records as they lie in a topic."""
        self.newest[topic].extendleft(record_of(one, self.as_json) for one in records[-_NEWEST:])

    def add_prediction(self, made: KeptPrediction, said: Details | None) -> None:
        """Take note of a prediction.

        Args:
            said: What its event said; None if that is not known.
        """
        customers = self.customers
        row, parts = customers.score(
            made.name,
            made.risk,
            made.leaving,
            made.at,
            made.reasons,
            said,
            event_at=made.event_at,
            version=made.version,
        )
        levels = {part: max(0.0, customers.levels[part]) for part in parts}
        now = time.time()
        if _MIN_TIMESTAMP <= made.processed_at <= now + _DAY:
            self.over_time.add(made.processed_at, made.leaving, levels)
        self._past[self.predictions % _MAX_PREDICTIONS] = (row, made.risk, made.at, *made.position)
        self.predictions += 1
        self.latest.appendleft(made)
        self.latencies.add(made.at, made.at - made.event_at)
        self._note_outcome(made.at, now)
        self._note_version(made)

    def _note_version(self, made: KeptPrediction) -> None:
        """Count a model's predictions; of too many models, those that made the fewest are one."""
        known = self.versions.get(made.version)
        first, count = (known.first, known.predictions) if known else (made.at, 0)
        if known is None and len(self.versions) >= _MAX_VERSIONS:
            rarest = min(self.versions.values(), key=_rank)
            del self.versions[rarest.name]
            self.others += rarest.predictions
        self.versions[made.version] = ModelVersion(made.version, first, count + 1)

    def _note_outcome(self, at: float, now: float) -> None:
        if at <= now + _DAY:
            self.last_outcome = max(self.last_outcome, min(at, now))

    def add_dead_letter(self, dead_letter: ListedDeadLetter) -> None:
        """Take note of a dead letter."""
        self.dead_letters.appendleft(dead_letter)
        self.reasons[dead_letter.reason] += 1
        self._note_outcome(dead_letter.at, time.time())

    def history(self, name: str) -> list[PastPrediction]:
        """The customer's predictions among the last million, newest first."""
        row = self.customers.row(name)
        found = self._past[self._past["row"] == row] if row >= 0 else self._past[:0]
        newest = found[np.argsort(-found["at"], kind="stable")]
        return [
            PastPrediction(
                float(one["at"]), float(one["risk"]), int(one["partition"]), int(one["offset"])
            )
            for one in newest[:50]
        ]

    def models(self) -> list[ModelVersion]:
        """The models, the one that came last first; those that were too many are one."""
        found = sorted(self.versions.values(), key=lambda one: -one.first)
        return [*found, ModelVersion(OTHER, NO_TIMESTAMP, self.others)] if self.others else found

    def lag(self) -> int:
        """Events that the group has still to read."""
        return sum(row.lag or 0 for row in self.partitions)

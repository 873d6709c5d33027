"""All that the live page knows: of customers, of the pipeline, and the last records."""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from churnstream.messages import Prediction
from churnstream.observe.dashboard.customers import Customers
from churnstream.observe.dashboard.processes import Process
from churnstream.observe.dashboard.series import EVERYBODY, Latencies, OverTime, PerSecond
from churnstream.streaming.topics import PartitionState

_MOST_PREDICTIONS = 1_000_000  # whose customer can be asked for the history
_MOST_LETTERS = 500
_LATEST = 8


class Letter(NamedTuple):
    """A dead letter as the page lists it.

    Attributes:
        at: When it was refused, seconds since 1970.
        source: Topic, partition and offset of the original.
    """

    partition: int
    offset: int
    at: float
    reason: str
    message: str
    source: tuple[str, int, int]
    attempt: int


class Version(NamedTuple):
    """A model that made predictions."""

    name: str
    first: float
    predictions: int


class Past(NamedTuple):
    """An earlier prediction of a customer."""

    at: float
    risk: float
    partition: int
    offset: int


_PAST = np.dtype(
    [("row", "i4"), ("risk", "f4"), ("at", "f8"), ("partition", "i4"), ("offset", "i8")]
)


class State:
    """Written by one thread, read by others; both hold `lock`.

    Attributes:
        problem: What keeps the page from being up to date, in words; "" if nothing does.
        problem_since: When that began, seconds since 1970.
        reading: Whether what was in the topics at the start is still being read.
        partitions: Topics as the broker last described them.
        processes: Producers and consumers as they last described themselves.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.problem, self.problem_since = "", 0.0
        self.reading = True
        self.partitions: Sequence[PartitionState] = ()
        self.processes: Sequence[Process] = ()
        self.clear()

    def clear(self) -> None:
        """Forget all records: the topics are others now."""
        self.customers = Customers()
        self.over_time = OverTime()
        self.events = self.predictions = 0
        self.reasons: Counter[str] = Counter()
        self.letters: deque[Letter] = deque(maxlen=_MOST_LETTERS)
        self.latest: deque[Prediction] = deque(maxlen=_LATEST)
        self.versions: dict[str, Version] = {}
        self.events_in, self.events_out = PerSecond(), PerSecond()
        self.refused = PerSecond()
        self.latencies = Latencies()
        self.lags: deque[float | None] = deque([None] * 60, maxlen=60)
        self.last_outcome = 0.0
        self._past = np.zeros(_MOST_PREDICTIONS, dtype=_PAST)
        self._past["row"] = -1

    def set_problem(self, problem: str) -> None:
        """Say what is wrong, or with "" that nothing is any more."""
        if bool(problem) != bool(self.problem):
            self.problem_since = time.time()
        self.problem = problem

    def add_prediction(self, made: Prediction, partition: int, offset: int, at: float) -> None:
        """Take note of a prediction.

        Args:
            partition: Of the prediction itself.
            offset: Of the prediction itself.
            at: The record's timestamp, seconds since 1970.
        """
        leaving = made.prediction == "Yes"
        risk, name = made.churn_probability, made.customerID
        texts = [reason.text for reason in made.reasons or ()]
        self.customers.score(name, risk, leaving, at, texts)
        row = self.customers.row(name)
        parts = self.customers.parts(row) if row >= 0 else [EVERYBODY]
        levels = {part: self.customers.levels[part] for part in parts}
        self.over_time.add(made.processed_ts.timestamp(), leaving, levels)
        slot = self.predictions % _MOST_PREDICTIONS
        self._past[slot] = (row, risk, at, partition, offset)
        self.predictions += 1
        self.latest.appendleft(made)
        self.latencies.add(at, at - made.event_ts.timestamp())
        self.last_outcome = max(self.last_outcome, at)
        known = self.versions.get(made.model_version)
        first, count = (known.first, known.predictions) if known else (at, 0)
        self.versions[made.model_version] = Version(made.model_version, first, count + 1)

    def add_letter(self, letter: Letter) -> None:
        """Take note of a dead letter."""
        self.letters.appendleft(letter)
        self.reasons[letter.reason] += 1
        self.last_outcome = max(self.last_outcome, letter.at)

    def history(self, name: str) -> list[Past]:
        """The customer's predictions among the last million, newest first."""
        row = self.customers.row(name)
        found = self._past[self._past["row"] == row] if row >= 0 else self._past[:0]
        newest = found[np.argsort(-found["at"], kind="stable")]
        return [
            Past(float(one["at"]), float(one["risk"]), int(one["partition"]), int(one["offset"]))
            for one in newest[:50]
        ]

    def lag(self) -> int:
        """Events that the group has still to read."""
        return sum(row.lag or 0 for row in self.partitions)

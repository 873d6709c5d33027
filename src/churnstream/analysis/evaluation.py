"""How good the predictions were, once it is known who left.

Labels come late. A prediction is evaluated by the first label of its customer that the input topic
holds at its event or behind it, in the order of the topic:

    same event    the event that was scored carried its label itself, as the data set's rows do;
                  the model did not see it, but nothing happened in between
    later event   the label came with a later event of the same customer

The two are kept apart: only the second says how good the model is at looking ahead. A prediction
without either is not evaluated yet.

Memory: 18 bytes for each prediction with a label, and for each customer the last predictions that
wait for one, `MAX_WAITING` at most; older ones are given up and counted.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any, Literal, NamedTuple, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.schema.label_and_value import label_reader, worth_of
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

Every = Literal["hour", "day", "week", "month"]
LabelSource = Literal["same event", "later event"]
LABEL_SOURCES: tuple[LabelSource, ...] = get_args(LabelSource)
MAX_WAITING = 20
MAX_PERIODS = 1000

Array = NDArray[np.float64]


class LabelledPredictions(NamedTuple):
    """Predictions whose outcome is known, in columns of one length.

    Attributes:
        labels: 1 for customers who left, 0 for the others.
        says_yes: Whether the prediction was "Yes".
        worth: What each customer is worth a month, currency units; 0 where the schema has no value.
    """

    labels: NDArray[np.int64]
    probabilities: Array
    says_yes: NDArray[np.bool_]
    worth: Array


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How good predictions with a label are.

    Attributes:
        roc_auc: Like the next three as `churnstream train` reports it; None where nobody or
            everybody left, which leaves nothing to tell apart.
        profit: Of offers to those who were predicted to leave, currency units; None where the
            schema has no value.
    """

    roc_auc: float | None = None
    average_precision: float | None = None
    brier: float | None = None
    calibration_error: float | None = None
    profit: float | None


class QualityCounts(Quality, frozen=True, kw_only=True):
    """What became of some predictions.

    Attributes:
        predictions: How many there are.
        judged: How many of them have a label by now.
        churned: How many of these left.
        said_yes: How many of these were predicted to leave.
    """

    predictions: int
    judged: int
    churned: int
    said_yes: int


class EvaluatedPeriod(QualityCounts, frozen=True, kw_only=True):
    """The predictions for events of a span of time that begins at `start`, UTC."""

    start: datetime


class Evaluation(msgspec.Struct, frozen=True):
    """How good the predictions of a window were.

    Attributes:
        total: All of them.
        by_source: Those with a label, by where their label came from.
        given_up: Predictions that no longer wait, because their customer had too many.
        periods: In order; those without a prediction are left out.
        others: Those of events in still other periods than the first `MAX_PERIODS` that came:
            an event may be of any time. None if there are none.
    """

    every: Every
    total: QualityCounts
    by_source: dict[LabelSource, QualityCounts]
    given_up: int
    periods: list[EvaluatedPeriod]
    others: QualityCounts | None = None


MeasureQuality = Callable[[LabelledPredictions], Quality]


class _Waiting(NamedTuple):
    """A prediction without a label; what `_Columns.add` needs beyond that, and its period."""

    period: datetime | None
    probability: float
    says_yes: bool
    worth: float


class Evaluator:
    """Joins predictions with labels, batch by batch.

    Args:
        schema: Of the events.
        every: How long a period is; weeks begin on Monday.
    """

    def __init__(self, schema: Schema, every: Every) -> None:
        self._schema, self._every = schema, every
        self._has_left = label_reader(schema)
        self._predictions: Counter[datetime | None] = Counter()
        self._labelled: defaultdict[tuple[datetime | None, LabelSource], _Columns] = defaultdict(
            _Columns
        )
        self._waiting: defaultdict[str, list[_Waiting]] = defaultdict(list)
        self._given_up = 0

    def add(
        self,
        events: Sequence[Event],
        probabilities: Array,
        says_yes: NDArray[np.bool_],
        counts: Sequence[bool],
    ) -> None:
        """Add scored events; those of a customer in the order of the topic.

        Args:
            events: n events, with what was predicted for them in the next two, shape (n,).
            counts: Whether the prediction is to be evaluated, n; if not, only the label is used.
        """
        worth = worth_of(self._schema, events)
        values = repeat(0.0) if worth is None else worth.tolist()
        rows = zip(events, probabilities.tolist(), says_yes.tolist(), counts, strict=True)
        for (event, probability, yes, counted), value in zip(rows, values, strict=False):
            customer, has_left = self._schema.id_of(event), self._has_left(event)
            if has_left is not None:
                self._settle(self._waiting.pop(customer, ()), has_left, "later event")
            if counted:
                period = self._period(event.event_ts)
                self._predictions[period] += 1
                made = _Waiting(period, probability, yes, value)
                if has_left is None:
                    self._wait(customer, made)
                else:
                    self._settle([made], has_left, "same event")

    def _period(self, timestamp: datetime) -> datetime | None:
        start, known = start_of(timestamp, self._every), self._predictions
        return start if start in known or len(known) < MAX_PERIODS else None

    def build(self, measure: MeasureQuality) -> Evaluation:
        """The evaluation of everything added so far.

        Args:
            measure: Called with predictions that have a label, also none at all.
        """
        made = self._predictions
        return Evaluation(
            every=self._every,
            total=QualityCounts(**self._counts(measure, made, LABEL_SOURCES, made.total())),
            by_source={s: QualityCounts(**self._counts(measure, made, [s])) for s in LABEL_SOURCES},
            given_up=self._given_up,
            periods=[
                EvaluatedPeriod(
                    start=start, **self._counts(measure, [start], LABEL_SOURCES, made[start])
                )
                for start in sorted(start for start in made if start)
            ],
            others=QualityCounts(**self._counts(measure, [None], LABEL_SOURCES, made[None]))
            if None in made
            else None,
        )

    def _counts(
        self,
        measure: MeasureQuality,
        periods: Iterable[datetime | None],
        sources: Sequence[LabelSource],
        predictions: int | None = None,
    ) -> dict[str, Any]:
        """The fields of `QualityCounts`; of all that have a label without a number."""
        keys = [(period, source) for period in periods for source in sources]
        labelled = _together([self._labelled[key] for key in keys if key in self._labelled])
        count = len(labelled.labels)
        return msgspec.structs.asdict(measure(labelled)) | {
            "predictions": count if predictions is None else predictions,
            "judged": count,
            "churned": int(labelled.labels.sum()),
            "said_yes": int(labelled.says_yes.sum()),
        }

    def _wait(self, customer: str, made: _Waiting) -> None:
        waiting = self._waiting[customer]
        if len(waiting) == MAX_WAITING:
            del waiting[0]
            self._given_up += 1
        waiting.append(made)

    def _settle(self, predictions: Iterable[_Waiting], has_left: bool, source: LabelSource) -> None:
        for made in predictions:
            self._labelled[made.period, source].add(made, has_left)


def start_of(timestamp: datetime, every: Every) -> datetime:
    """When the period that holds a timestamp begins."""
    if every == "hour":
        return timestamp.replace(minute=0, second=0, microsecond=0)
    day = timestamp.replace(hour=0, minute=0, second=0, microsecond=0)
    if every == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if every == "month" else day


class _Columns:
    """Predictions with a label, 18 bytes each."""

    def __init__(self) -> None:
        self._labels, self._says_yes = array("b"), array("b")
        self._probabilities, self._worth = array("d"), array("d")

    def add(self, made: _Waiting, churned: bool) -> None:
        self._labels.append(churned)
        self._says_yes.append(made.says_yes)
        self._probabilities.append(made.probability)
        self._worth.append(made.worth)

    def labelled(self) -> LabelledPredictions:
        return LabelledPredictions(
            np.array(self._labels, dtype=np.int64),
            np.array(self._probabilities, dtype=np.float64),
            np.array(self._says_yes, dtype=np.bool_),
            np.array(self._worth, dtype=np.float64),
        )


def _together(parts: Sequence[_Columns]) -> LabelledPredictions:
    columns = [part.labelled() for part in parts] or [_Columns().labelled()]
    return LabelledPredictions(*(np.concatenate(column) for column in zip(*columns, strict=True)))

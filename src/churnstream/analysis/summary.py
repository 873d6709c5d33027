"""What a window of scored events amounts to, for the people who call customers.

`SummaryBuilder` takes the batches of a run as they are scored and keeps running totals only, so
that memory does not grow with the run. Everything counts events: a customer who appears twice
in the window counts twice, except among the top customers, where each is listed once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.analysis.result_files import replace_result
from churnstream.analysis.top_customers import TopCustomer, TopCustomers
from churnstream.model.shadow import Shadow
from churnstream.records.rejection import Rejection
from churnstream.schema.label_and_value import worth_of
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.segments import segment_reader

_SIGNIFICANT_DIGITS = 12  # those after them change with the order in which partitions arrive
_MAX_VALUES, _MAX_CELLS = 50, 10_000
_MAX_VALUE_LENGTH = 100
_OTHER = "other"


class ScoreTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a window as a whole and of each of its segments.

    Attributes:
        scored: Events scored.
        predicted_churners: Those whose probability reaches the model's threshold.
        churn_rate: Share of them among the scored, 0 to 1; None where nothing was scored.
        average_probability: 0 to 1; None where nothing was scored.
        customers_at_risk: Sum of the probabilities: how many are expected to leave.
        monthly_revenue_at_risk: Sum of probability times monthly value, currency units a month;
            None where the schema has no value.
    """

    scored: int
    predicted_churners: int
    churn_rate: float | None
    average_probability: float | None
    customers_at_risk: float
    monthly_revenue_at_risk: float | None


class OffsetRange(msgspec.Struct, frozen=True):
    """The part of a partition that was read; both ends belong to it."""

    first: int
    last: int


class SummaryWindow(msgspec.Struct, frozen=True):
    """What was read.

    Attributes:
        partitions: The offsets by partition, dead letters included.
        first_event_ts: Earliest time of a scored event, UTC; None where nothing was scored.
        last_event_ts: Latest one.
    """

    partitions: dict[int, OffsetRange]
    first_event_ts: datetime | None
    last_event_ts: datetime | None


class Summary(ScoreTotals, frozen=True, kw_only=True):
    """The totals of a whole window, of its segments, its top customers and its run.

    Attributes:
        messages_read: Always `scored` + `dead_lettered` + `passed_over`.
        passed_over: What has no customer by the rules of the schema's source, as a deleted row; 0
            where predictions were read back.
        dead_letters_by_reason: Counts by reason, only those that occurred.
        segments: Totals by field and value, for the segments of the schema; the values of a
            number are bands.
        top_customers: Highest probability first, the higher value first among equals.
        duration_s: Seconds that the run took.
        events_per_sec: Messages read per second; None for a run that took no time.
        model_version: More than one, separated by commas, where the model was swapped.
        threshold: The probability from which the model predicts "Yes"; None where several models
            scored, and where predictions were read back, which do not hold it.
        generated_at: UTC.
        challengers: What models in the shadow would have said.
    """

    messages_read: int
    dead_lettered: int
    dead_letters_by_reason: dict[str, int]
    segments: dict[str, dict[str, ScoreTotals]]
    top_customers: list[TopCustomer]
    window: SummaryWindow
    model_version: str
    threshold: float | None
    duration_s: float
    events_per_sec: float | None
    generated_at: datetime
    challengers: tuple[Shadow, ...] = ()
    passed_over: int = 0


class SummaryBuilder:
    """Adds up batches to a `Summary`; how a run is cut into batches makes no difference to it.

    The totals are kept for each combination of the segments' values (a few hundred, since a
    scored event only holds categories that the model knows, and never many thousand, whoever wrote
    the predictions that are summed up), so that one lookup for an event serves all of them.

    Args:
        schema: Of the events.
        top_k: How many customers to list.
    """

    def __init__(self, schema: Schema, *, top_k: int = 10) -> None:
        self._schema = schema
        self._segment_names = [segment.field for segment in schema.breakdowns]
        self._segment_readers = [segment_reader(schema, one) for one in schema.breakdowns]
        self._cells = _SegmentCells(len(self._segment_readers))
        self._totals: NDArray[np.float64] = np.zeros((4, 0))
        self._rejected: Counter[str] = Counter()
        self._passed_over = 0
        self._offsets: dict[int, OffsetRange] = {}
        self._event_ts: tuple[datetime, datetime] | None = None
        self._top = TopCustomers(schema, top_k)

    def add(
        self,
        events: Sequence[Event],
        probabilities: NDArray[np.float64],
        says_yes: NDArray[np.bool_],
        partitions: Sequence[int],
        offsets: Sequence[int],
    ) -> None:
        """Add the scored events of a batch.

        Args:
            events: n events.
            probabilities: Their churn probabilities, shape (n,).
            says_yes: Whether each was predicted to leave, shape (n,).
            partitions: Where each was read, n partitions.
            offsets: And at which offset, n offsets.
        """
        if not events:
            return
        self._add_totals(events, probabilities, says_yes)
        self._add_offsets(partitions, offsets)
        event_ts = [event.event_ts for event in events]
        event_ts.extend(self._event_ts or ())
        self._event_ts = min(event_ts), max(event_ts)
        self._top.add(events, probabilities, partitions, offsets)

    def add_rejected(
        self, rejections: Iterable[Rejection], partitions: Sequence[int], offsets: Sequence[int]
    ) -> None:
        """Add the dead letters of a batch, with the position of each."""
        self._rejected.update(rejection.reason for rejection in rejections)
        self._add_offsets(partitions, offsets)

    def add_passed_over(self, count: int) -> None:
        """Add records that hold no customer by rule."""
        self._passed_over += count

    def build(
        self,
        *,
        model_versions: Sequence[str],
        threshold: float | None,
        duration_s: float,
        challengers: Sequence[Shadow] = (),
    ) -> Summary:
        """The summary of everything added so far.

        Args:
            model_versions: Of the models that scored, in order of their appearance.
            threshold: The probability from which they predict "Yes", where it is known.
            duration_s: Seconds that the run took.
            challengers: What models in the shadow would have said.
        """
        whole = self._totals_of(self._totals.sum(axis=1))
        dead_lettered = self._rejected.total()
        messages_read = whole.scored + dead_lettered + self._passed_over
        return Summary(
            **msgspec.structs.asdict(whole),
            messages_read=messages_read,
            dead_lettered=dead_lettered,
            dead_letters_by_reason=dict(sorted(self._rejected.items())),
            segments={name: self._segments(i) for i, name in enumerate(self._segment_names)},
            top_customers=self._top.customers(),
            window=SummaryWindow(
                dict(sorted(self._offsets.items())), *(self._event_ts or (None, None))
            ),
            model_version=", ".join(model_versions),
            threshold=threshold,
            duration_s=duration_s,
            events_per_sec=messages_read / duration_s if duration_s else None,
            generated_at=datetime.now(UTC),
            challengers=tuple(challengers),
            passed_over=self._passed_over,
        )

    def top_events(self) -> list[Event]:
        """The events of the top customers, in the order of the summary."""
        return self._top.events()

    def _add_totals(
        self,
        events: Sequence[Event],
        probabilities: NDArray[np.float64],
        says_yes: NDArray[np.bool_],
    ) -> None:
        columns = [read(events) for read in self._segment_readers]
        combinations = zip(*columns, strict=True) if columns else repeat((), len(events))
        cells = np.fromiter(map(self._cells.__getitem__, combinations), int, len(events))
        worth = worth_of(self._schema, events)
        at_risk = np.zeros(len(events)) if worth is None else probabilities * worth
        measures = (np.ones(len(events)), says_yes, probabilities, at_risk)
        totals = np.array([np.bincount(cells, row, len(self._cells)) for row in measures])
        totals[:, : self._totals.shape[1]] += self._totals
        self._totals = totals

    def _add_offsets(self, partitions: Sequence[int], offsets: Sequence[int]) -> None:
        partition_of, offset_of = np.asarray(partitions, np.int64), np.asarray(offsets, np.int64)
        for partition in np.unique(partition_of).tolist():
            here = offset_of[partition_of == partition]
            first, last = int(here.min()), int(here.max())
            if known := self._offsets.get(partition):
                first, last = min(first, known.first), max(last, known.last)
            self._offsets[partition] = OffsetRange(first, last)

    def _segments(self, position: int) -> dict[str, ScoreTotals]:
        cells_of: defaultdict[str, list[int]] = defaultdict(list)
        for cell, number in self._cells.items():
            cells_of[cell[position]].append(number)
        return {
            value: self._totals_of(self._totals[:, cells].sum(axis=1))
            for value, cells in sorted(cells_of.items())
        }

    def _totals_of(self, totals: NDArray[np.float64]) -> ScoreTotals:
        """Totals from their sums: events, predicted churners, probability, revenue; shape (4,)."""
        scored, churners, probability, revenue = totals.tolist()
        return ScoreTotals(
            scored=int(scored),
            predicted_churners=int(churners),
            churn_rate=churners / scored if scored else None,
            average_probability=_rounded(probability / scored) if scored else None,
            customers_at_risk=_rounded(probability),
            monthly_revenue_at_risk=None if self._schema.value is None else _rounded(revenue),
        )


class _SegmentCells(dict[tuple[str, ...], int]):
    """Combinations of values, numbered as they come; of too many, the rest is "other"."""

    def __init__(self, width: int) -> None:
        self._values: tuple[set[str], ...] = tuple(set() for _ in range(width))

    def __missing__(self, cell: tuple[str, ...]) -> int:
        bounded = tuple(map(self._bounded, self._values, cell))
        if bounded not in self and len(self) >= _MAX_CELLS:
            bounded = (_OTHER,) * len(cell)
        return self.setdefault(bounded, len(self))

    def _bounded(self, known: set[str], value: str) -> str:
        value = value[:_MAX_VALUE_LENGTH]
        if value not in known and len(known) >= _MAX_VALUES:
            return _OTHER
        known.add(value)
        return value


def _rounded(total: float) -> float:
    return float(f"{total:.{_SIGNIFICANT_DIGITS}g}")


def write_summary(summary: Summary, path: Path) -> None:
    """Write the summary as indented JSON; a reader finds the old file or the new one, whole.

    Raises:
        ChurnstreamError: The file or its folder cannot be written.
    """
    replace_result(path, msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")

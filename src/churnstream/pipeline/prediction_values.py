"""From scores to the predictions' bytes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.prediction_codec import encode_prediction
from churnstream.codecs.scan.scanned_events import ScannedEvents
from churnstream.kafka.polled_records import PolledRecords
from churnstream.records.prediction import Prediction, ReasonGiven
from churnstream.schema.record_types import Event, prediction_type

if TYPE_CHECKING:
    from churnstream.pipeline.scoring import Scorer

_event_ts = attrgetter("event_ts")
_YES_OR_NO: tuple[Literal["No"], Literal["Yes"]] = ("No", "Yes")  # by whether it is yes


class Predicted(NamedTuple):
    """What was found out of events, all of one length."""

    scorer: "Scorer"
    events: Sequence[Event]
    records: PolledRecords
    probabilities: NDArray[np.float64]
    reasons: list[list[ReasonGiven] | None]

    def take(self, rows: list[int]) -> "Predicted":
        """Those of some rows."""
        return self._replace(
            events=[self.events[row] for row in rows],
            records=PolledRecords.of([self.records.records[row] for row in rows], {}),
            probabilities=self.probabilities[rows],
            reasons=[self.reasons[row] for row in rows],
        )


def prediction_values(
    made: Predicted, now: datetime, encode: Callable[[Any], bytes]
) -> list[bytes]:
    """The predictions, in the order of the events.

    Args:
        now: When they were scored, UTC.
        encode: Writes one. What was scanned is written side by side, to the same bytes as
            `encode_prediction` would, in place of that.
    """
    if encode is not encode_prediction or not isinstance(made.events, ScannedEvents):
        return list(map(encode, _predictions(made, now)))
    values = _written(made, made.events, now)
    rest = [row for row, value in enumerate(values) if value is None] if None in values else []
    for row, value in zip(rest, map(encode, _predictions(made.take(rest), now)), strict=True):
        values[row] = value
    return values  # type: ignore[return-value]  # none is None any more


def _written(made: Predicted, events: ScannedEvents, now: datetime) -> list[bytes | None]:
    """Those of scanned events; None for the others."""
    from churnstream.codecs.scan.prediction_writer import written_predictions

    rows, scorer = events.scanned, made.scorer
    found = written_predictions(
        events.columns,
        made.probabilities[rows],
        made.probabilities[rows] >= scorer.threshold,
        np.array(made.records.partitions, np.int64)[rows],
        np.array(made.records.offsets, np.int64)[rows],
        made.reasons if len(rows) == len(events) else [made.reasons[row] for row in rows.tolist()],
        id_name=scorer.schema.id,
        version=scorer.version,
        now=now,
    )
    if len(rows) == len(events):
        return found
    values: list[bytes | None] = [None] * len(events)
    for row, value in zip(rows.tolist(), found, strict=True):
        values[row] = value
    return values


def _predictions(made: Predicted, now: datetime) -> Iterator[Any]:
    """The predictions, in the order of the events."""
    scorer, probabilities = made.scorer, made.probabilities
    columns: dict[str, Iterable[Any]] = {
        "churn_probability": probabilities.tolist(),
        "prediction": map(_YES_OR_NO.__getitem__, (probabilities >= scorer.threshold).tolist()),
        "event_ts": map(_event_ts, made.events),
        "processed_ts": repeat(now),
        "model_version": repeat(scorer.version),
        "source_partition": made.records.partitions,
        "source_offset": made.records.offsets,
        "reasons": made.reasons,
    }
    # Column by column, in the order of the fields: a call with keywords for each takes longer.
    in_order = (columns[name] for name in Prediction.__struct_fields__)
    ids = map(scorer.schema.id_of, made.events)
    return map(prediction_type(scorer.schema), ids, *in_order)

"""Whether customers leave as often as was predicted, from events that carry a label."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.schema.label_and_value import label_reader
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

_BINS = 10


class CalibrationBin(msgspec.Struct, frozen=True):
    """The labelled events whose probability lies in a tenth of the scale.

    Attributes:
        low: Lower end of the tenth, 0 to 1.
        high: Upper end.
        predicted: Average probability.
        observed: Share of those who left.
    """

    low: float
    high: float
    events: int
    predicted: float
    observed: float


class CalibrationBuilder:
    """Adds up batches; memory does not grow."""

    def __init__(self, schema: Schema) -> None:
        self._has_left = label_reader(schema)
        self._sums = np.zeros((3, _BINS))  # events, probabilities, churners

    def add(self, events: Sequence[Event], probabilities: NDArray[np.float64]) -> None:
        """Add the scored events of a batch; those without a label do not count.

        Args:
            events: n events.
            probabilities: Their churn probabilities, shape (n,).
        """
        labels = list(map(self._has_left, events))
        rows = [i for i, label in enumerate(labels) if label is not None]
        if not rows:
            return
        labelled = probabilities[rows]
        left = np.array([labels[i] for i in rows], dtype=np.float64)
        bins = np.minimum((labelled * _BINS).astype(np.int64), _BINS - 1)
        measures = (np.ones(len(rows)), labelled, left)
        self._sums += np.array([np.bincount(bins, values, _BINS) for values in measures])

    def build(self) -> list[CalibrationBin]:
        """The tenths that hold any labelled event, from low to high."""
        return [
            CalibrationBin(i / _BINS, (i + 1) / _BINS, int(count), sum_p / count, churned / count)
            for i, (count, sum_p, churned) in enumerate(self._sums.T.tolist())
            if count
        ]

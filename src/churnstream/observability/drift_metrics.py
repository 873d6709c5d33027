"""Drift while events flow: a sample of them, window after window, against the training."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from churnstream.analysis.feature_drift import Drift, drift
from churnstream.model.scorer import Model
from churnstream.schema.record_types import Event

WINDOW = 2000
_MAX_OF_A_BATCH = 25
_AT_ONCE = 500  # counting a few events costs nearly as much as counting some hundred


class DriftMonitor:
    """Compares every `WINDOW` events of the sample with the training customers.

    Small batches are looked at whole, of large ones a few events, evenly spread: that bounds the
    cost, and a window still spans many batches.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        bins = model.manifest.background.bins
        self._training = {name: its.counts for name, its in bins.items()}
        self._start_over()

    def _start_over(self) -> None:
        self._counted = 0
        self._events: list[Event] = []
        self._probabilities: list[NDArray[np.float64]] = []
        self._totals: dict[str, Counter[str]] = {name: Counter() for name in self._training}

    def add(self, events: Sequence[Event], probabilities: NDArray[np.float64]) -> Drift | None:
        """Add the events of a batch; the verdict if they fill the window, which then starts over.

        Args:
            events: n events, at least one.
            probabilities: What was predicted for them, shape (n,).
        """
        step = -(-len(events) // _MAX_OF_A_BATCH)
        self._events += events[::step]
        self._probabilities.append(probabilities[::step])
        if len(self._events) >= _AT_ONCE:
            self._count()
        if self._counted < WINDOW:
            return None
        found = drift(self._training, self._totals)
        self._start_over()
        return found

    def _count(self) -> None:
        risks = np.concatenate(self._probabilities)
        for name, counts in self._model.count(self._events, risks).items():
            self._totals[name].update(counts)
        self._counted += len(self._events)
        self._events, self._probabilities = [], []

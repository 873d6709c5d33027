"""A Prometheus histogram that takes a whole batch at once."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class BatchHistogram(Collector):
    """Counts values into buckets with array operations; the client's own takes them one by one.

    One thread adds, others may read: they see the state before a batch or after it.

    Args:
        buckets: Upper bounds, ascending; each belongs to its bucket.
    """

    def __init__(
        self, name: str, documentation: str, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._documentation = name, documentation
        self._bounds = np.array(buckets, dtype=np.float64)
        self._state = np.zeros(len(buckets) + 1, dtype=np.int64), 0.0
        registry.register(self)

    def add(self, values: NDArray[np.float64]) -> None:
        """Count the values of a batch, shape (n,), all finite."""
        counts, total = self._state
        buckets = np.searchsorted(self._bounds, values)
        new = np.bincount(buckets, minlength=len(counts))
        self._state = counts + new, total + float(values.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The histogram as Prometheus reads it."""
        counts, total = self._state
        names = [*map(str, self._bounds.tolist()), "+Inf"]
        buckets = list(zip(names, np.cumsum(counts).tolist(), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets, total)

"""A gauge whose values are looked up when somebody asks."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class LookedUpGauge(Collector):
    """A gauge with one label.

    Args:
        look_up: Gives the values by that label.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        label: str,
        look_up: Callable[[], Mapping[str, float]],
        registry: CollectorRegistry,
    ) -> None:
        self.labels = (label,)
        self._name, self._documentation, self._look_up = name, documentation, look_up
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The values as of now."""
        family = GaugeMetricFamily(self._name, self._documentation, labels=self.labels)
        for value, number in self._look_up().items():
            family.add_metric([value], number)
        yield family

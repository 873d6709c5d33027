"""Metrics of a producer, in the form that Prometheus reads; see `consumer_metrics`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from churnstream.observability.liveness import ProducerHealth
from churnstream.settings import TopicSettings

TOPIC = "messaging_destination_name"
"""The label that names a topic."""


class ProducerMetrics:
    """What a producer does, by the number of rows sent so far."""

    def __init__(self, topics: TopicSettings, health: ProducerHealth) -> None:
        self.registry = registry = CollectorRegistry()
        self._health = health
        self._rows: int | None = None
        ProcessCollector(registry=registry)
        sent = Counter(
            "messaging_client_sent_messages",
            "Events handed to the broker.",
            [TOPIC],
            registry=registry,
        )
        self._sent = sent.labels(topics.input)
        self._last_send = Gauge(
            "churnstream_last_send_timestamp_seconds",
            "When the producer last sent; 0 before the first time.",
            registry=registry,
        )

    def on_rows(self, rows: int) -> None:
        """Take note that so many rows were sent in all; the first call says by earlier runs."""
        if self._rows is not None and rows > self._rows:
            self._sent.inc(rows - self._rows)
            self._last_send.set_to_current_time()
            self._health.on_rows()
        self._rows = rows

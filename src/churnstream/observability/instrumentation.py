"""Metrics, health and the summary line around a running producer or consumer."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from churnstream.model.champion import Models
    from churnstream.model.scorer import Model
    from churnstream.observability.consumer_metrics import ConsumerMetrics
    from churnstream.pipeline.consumer_notices import Notice
    from churnstream.pipeline.notify.notifier_thread import NotifierThread
    from churnstream.settings import Settings


class ConsumerInstrumentation:
    """Passes on the notices of a consumer.

    Args:
        metrics: None where nobody asks for them: they then cost nothing.
        interval: Seconds between two lines in the log.
    """

    def __init__(self, metrics: ConsumerMetrics | None, interval: float) -> None:
        from churnstream.observability.interval_log import IntervalLog

        self._metrics, self._log = metrics, IntervalLog(interval)

    def use_model(self, model: Model) -> None:
        """Take note of the model that scores from now on."""
        if self._metrics:
            self._metrics.use_model(model)

    def follow(self, models: Models) -> None:
        """Count the models that were rejected, and compare champion and challenger, too."""
        if self._metrics:
            self._metrics.rejected_models = lambda: models.champion.rejected
            self._metrics.compared = models.comparison

    def follow_notifier(self, notifier: NotifierThread | None) -> None:
        """Count what it sends, if there is one."""
        if self._metrics and notifier:
            from churnstream.observability.notifier_metrics import NotifierMetrics

            NotifierMetrics(self._metrics.registry, notifier.counts)

    def on_notice(self, notice: Notice) -> None:
        """Take note of what the consumer does."""
        self._log.on_notice(notice)
        if self._metrics:
            self._metrics.on_notice(notice)

    def end(self) -> None:
        """Say what the log has not said yet."""
        self._log.say()


@contextlib.contextmanager
def instrumented_consumer(settings: Settings) -> Iterator[ConsumerInstrumentation]:
    """Serve a consumer's metrics, if a port is set, for the length of a with-block."""
    if settings.metrics.port is None:
        instruments = ConsumerInstrumentation(None, settings.log.interval)
        yield instruments
    else:
        from churnstream.observability.consumer_metrics import ConsumerMetrics
        from churnstream.observability.liveness import ConsumerHealth
        from churnstream.observability.metrics_server import serve_metrics

        health = ConsumerHealth(settings.metrics.progress_timeout)
        metrics = ConsumerMetrics(settings.topics, health)
        instruments = ConsumerInstrumentation(metrics, settings.log.interval)
        with serve_metrics(settings.metrics, metrics.registry, health):
            yield instruments
    instruments.end()


@contextlib.contextmanager
def instrumented_producer(settings: Settings) -> Iterator[Callable[[int], None]]:
    """Serve a producer's metrics, if a port is set; yields a callback for the rows sent so far."""
    if settings.metrics.port is None:
        yield lambda _: None
        return
    from churnstream.observability.liveness import ProducerHealth
    from churnstream.observability.metrics_server import serve_metrics
    from churnstream.observability.producer_metrics import ProducerMetrics

    # At a low rate, minutes between two events are no failure.
    health = ProducerHealth(
        max(settings.metrics.progress_timeout, 3 / settings.producer.events_per_sec)
    )
    metrics = ProducerMetrics(settings.topics, health)
    with serve_metrics(settings.metrics, metrics.registry, health):
        yield metrics.on_rows

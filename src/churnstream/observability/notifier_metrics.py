"""Metrics of the webhooks of a consumer, in the form that Prometheus reads."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from churnstream.observability.looked_up_gauge import LookedUpGauge
from churnstream.pipeline.notify.notifier import NotifyCounts

_OUTCOMES = ("delivered", "refused", "retried")


class NotifierMetrics:
    """What a notifier does.

    Args:
        registry: Of the consumer.
        counts: Of the notifier.
    """

    def __init__(self, registry: CollectorRegistry, counts: NotifyCounts) -> None:
        sent = Counter(
            "churnstream_notifications",
            "Webhooks by their answer: delivered, refused for good, or to be sent again (retried).",
            ["outcome"],
            registry=registry,
        )
        for outcome in _OUTCOMES:  # a rate needs the 0 before the first one
            sent.labels(outcome)
        counts.on_outcome = lambda outcome: sent.labels(outcome).inc()
        pending = Gauge(
            "churnstream_notifications_pending",
            "Customers whose notification is read and not answered for good.",
            registry=registry,
        )
        pending.set_function(lambda: counts.pending)
        LookedUpGauge(
            "churnstream_notification_lag",
            "Predictions between the notifier's offset and the end, of the partitions read here.",
            "partition",
            lambda: {str(p): lag for p, lag in counts.lags.items()},
            registry,
        )

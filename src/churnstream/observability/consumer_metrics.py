"""Metrics of a consumer, in the form that Prometheus reads.

Names that begin with `messaging_` are OpenTelemetry's conventions for messaging in Prometheus'
spelling; dashboards know them. Labels are few, and none of them grows with the customers. A batch
costs some array operations whatever its size: nothing here is called for a single event.
"""

from collections import Counter as Counts
from collections.abc import Callable
from datetime import datetime
from functools import partial
from operator import attrgetter

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from churnstream.model.scorer import Model
from churnstream.model.shadow import Shadow
from churnstream.observability.drift_metrics import WINDOW, DriftMonitor
from churnstream.observability.histogram import BatchHistogram
from churnstream.observability.liveness import ConsumerHealth
from churnstream.observability.looked_up_gauge import LookedUpGauge
from churnstream.observability.producer_metrics import TOPIC as _TOPIC
from churnstream.pipeline.consumer_notices import Committed, Notice, RolledBack, Stepped
from churnstream.records.rejection import REASONS
from churnstream.settings import TopicSettings

_SIZES = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_AGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86_400)
_SHARES = tuple(round(0.05 * step, 2) for step in range(1, 21))
_LATENCY_SAMPLE = 500  # events of a batch, evenly spread
_event_ts = attrgetter("event_ts")


_COMPARED = {
    "events": "Events that champion and challenger both scored.",
    "agreement": "Share of them with the same Yes or No from both.",
    "mean_difference": "Probability of the challenger less that of the champion, on average.",
}


class ConsumerMetrics:
    """What a consumer does, by its notices.

    Args:
        topics: For labels.
        health: Gets the same, and is asked for the lag.

    Attributes:
        rejected_models: Asked at every step how many models were rejected so far.
        compared: Asked at every scrape how the challengers did.
    """

    def __init__(self, topics: TopicSettings, health: ConsumerHealth) -> None:
        self.registry = registry = CollectorRegistry()
        self._topics, self._health = topics, health
        self._drift_monitor: DriftMonitor | None = None
        self._drift: dict[str, float] = {}
        self._rebalances_seen = self._rejected_seen = 0
        self.rejected_models: Callable[[], int] = lambda: 0
        self.compared: Callable[[], list[Shadow]] = list
        ProcessCollector(registry=registry)
        self._declare_records(registry)
        self._declare_batches(registry)
        self._declare_group(registry)
        self._declare_models(registry)

    def _declare_records(self, registry: CollectorRegistry) -> None:
        """What was read and sent."""
        self._consumed = Counter(
            "messaging_client_consumed_messages",
            "Records read; those of batches that were rolled back count each time.",
            [_TOPIC],
            registry=registry,
        )
        self._sent = Counter(
            "messaging_client_sent_messages",
            "Records sent and committed, predictions and dead letters.",
            [_TOPIC],
            registry=registry,
        )

    def _declare_batches(self, registry: CollectorRegistry) -> None:
        """How batches went."""
        self._process = Histogram(
            "messaging_process_duration_seconds",
            "Time of a batch from its poll to its commit.",
            [_TOPIC],
            buckets=_SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "churnstream_stage_duration_seconds",
            "Time of a batch in a stage: poll, score (with decoding), publish (with the commit).",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._sizes = Histogram(
            "churnstream_batch_size", "Records of a batch.", buckets=_SIZES, registry=registry
        )
        self._dead_letters = Counter(
            "churnstream_dead_letters", "Records rejected.", ["reason"], registry=registry
        )
        self._passed_over = Counter(
            "churnstream_passed_over",
            "Records that hold no customer by the rules of the schema's source.",
            ["rule"],
            registry=registry,
        )
        self._latency = BatchHistogram(
            "churnstream_event_latency_seconds",
            "From an event's event_ts to the commit of its prediction; of large batches a sample "
            f"of {_LATENCY_SAMPLE} at most.",
            _AGES,
            registry,
        )
        self._scores = BatchHistogram(
            "churnstream_churn_probability", "Predicted probabilities.", _SHARES, registry
        )

    def _declare_group(self, registry: CollectorRegistry) -> None:
        """The group, and this consumer of it."""
        health = self._health
        LookedUpGauge(
            "churnstream_consumer_lag",
            "Events between the group's offset and the end, of the partitions read here.",
            "partition",
            lambda: {str(p): lag for p, lag in health.lags.items()},
            registry,
        )
        self._committed = Counter(
            "churnstream_transactions_committed",
            "Batches committed, with a transaction or without.",
            registry=registry,
        )
        self._aborted = Counter(
            "churnstream_transactions_aborted",
            "Batches rolled back, to be read again.",
            registry=registry,
        )
        self._rebalances = Counter(
            "churnstream_rebalances",
            "Times that partitions were given to this process or taken away.",
            registry=registry,
        )
        self._last_poll = Gauge(
            "churnstream_last_poll_timestamp_seconds",
            "When the consumer last asked for records; grows old if it is stuck.",
            registry=registry,
        )
        self._last_commit = Gauge(
            "churnstream_last_commit_timestamp_seconds",
            "When a batch was last committed; 0 before the first one.",
            registry=registry,
        )

    def _declare_models(self, registry: CollectorRegistry) -> None:
        """The models, and how they fit the customers."""
        health = self._health
        LookedUpGauge(
            "churnstream_model_info",
            "1 for the model in use.",
            "version",
            lambda: {health.model: 1} if health.model else {},
            registry,
        )
        self._swaps = Counter(
            "churnstream_model_swaps", "Models taken into use after the first.", registry=registry
        )
        self._swaps_rejected = Counter(
            "churnstream_model_swaps_rejected",
            "Models that were not taken into use, since they could not be trusted or used.",
            registry=registry,
        )
        LookedUpGauge(
            "churnstream_drift_index",
            f"Population stability index of a sample of {WINDOW:,} recent events against the "
            "training customers; absent before there are so many.",
            "feature",
            lambda: self._drift,
            registry,
        )
        for measure, meaning in _COMPARED.items():
            LookedUpGauge(
                f"churnstream_challenger_{measure}",
                meaning,
                "version",
                partial(self._compared, measure),
                registry,
            )
        for reason in REASONS:  # a rate needs the 0 before the first one
            self._dead_letters.labels(reason)

    def _compared(self, measure: str) -> dict[str, float]:
        """By version of the challenger, against the champion that it met last."""
        found = {one.challenger: getattr(one, measure) for one in self.compared()}
        return {version: value for version, value in found.items() if value is not None}

    def use_model(self, model: Model) -> None:
        """Take note of the model that scores from now on."""
        if self._health.model is not None:
            self._swaps.inc()
        self._health.model = model.version
        self._drift, self._drift_monitor = {}, DriftMonitor(model)

    def on_notice(self, notice: Notice) -> None:
        """Take note of what the consumer does."""
        self._health.on_notice(notice)
        match notice:
            case Stepped():
                self._on_step(notice)
            case Committed():
                self._on_commit(notice)
            case RolledBack():
                self._aborted.inc()

    def _on_step(self, step: Stepped) -> None:
        self._last_poll.set_to_current_time()
        self._rebalances.inc(step.rebalances - self._rebalances_seen)
        self._rebalances_seen = step.rebalances
        rejected = self.rejected_models()
        self._swaps_rejected.inc(rejected - self._rejected_seen)
        self._rejected_seen = rejected
        if step.polled.records:
            self._consumed.labels(self._topics.input).inc(len(step.polled.records))
            self._stages.labels("poll").observe(step.poll_s)
            self._stages.labels("score").observe(step.score_s)

    def _on_commit(self, done: Committed) -> None:
        self._last_commit.set(done.ended)
        batch = done.batch
        if not len(batch):
            return  # the offset moved over transaction markers, nothing else
        self._committed.inc()
        self._sizes.observe(len(batch))
        self._stages.labels("publish").observe(done.ended - done.began)
        took = done.ended - batch.scored_at.timestamp()
        self._process.labels(self._topics.input).observe(took)
        self._sent.labels(self._topics.output).inc(len(batch.events))
        if self._topics.newest:
            self._sent.labels(self._topics.newest).inc(len(batch.events))
        self._sent.labels(self._topics.deadletter).inc(len(batch.rejected))
        for reason, count in Counts(why.reason for why in batch.rejections).items():
            self._dead_letters.labels(reason).inc(count)
        for rule, count in Counts(why.rule for why in batch.passed_over).items():
            self._passed_over.labels(rule).inc(count)
        if batch.events:
            self._on_scored(done)

    def _on_scored(self, done: Committed) -> None:
        events, probabilities = done.batch.events, done.batch.probabilities
        sample = events[:: -(-len(events) // _LATENCY_SAMPLE)]
        stamps = map(datetime.timestamp, map(_event_ts, sample))
        self._latency.add(done.ended - np.fromiter(stamps, np.float64, len(sample)))
        self._scores.add(probabilities)
        if self._drift_monitor and (found := self._drift_monitor.add(events, probabilities)):
            self._drift = {one.name: one.psi for one in found.measured}

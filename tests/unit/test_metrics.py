"""What the metrics and the health of a process say of what it did, without a broker."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from builders import CustomerEvent, event_message, message
from churnstream.errors import AbortableError
from churnstream.kafka.polled_records import PolledRecords
from churnstream.model.manifest import load
from churnstream.model.shadow import ShadowBuilder
from churnstream.observability.consumer_metrics import ConsumerMetrics
from churnstream.observability.drift_metrics import WINDOW, DriftMonitor
from churnstream.observability.histogram import BatchHistogram
from churnstream.observability.interval_log import IntervalLog
from churnstream.observability.liveness import ConsumerHealth, ProducerHealth
from churnstream.observability.producer_metrics import ProducerMetrics
from churnstream.pipeline.consumer_notices import Notice, Stepped
from churnstream.pipeline.offset_window import OffsetWindow
from churnstream.settings import TopicSettings
from fakes import FakeDelivery, FakeReader, FakeScorer, consumer_of

TOPICS = TopicSettings()
IN = {"messaging_destination_name": TOPICS.input}
OUT = {"messaging_destination_name": TOPICS.output}
LETTERS = {"messaging_destination_name": TOPICS.deadletter}


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Watched:
    """A consumer over fakes, and what was told of it."""

    def __init__(
        self,
        partitions: Mapping[int, Sequence[Message]],
        *,
        faults: Iterable[Exception | None] = (),
        tell: Callable[[Notice], None] | None = None,
    ) -> None:
        self.clock = Clock()
        self.health = ConsumerHealth(60, self.clock)
        self.metrics = ConsumerMetrics(TOPICS, self.health)
        self.reader = FakeReader(partitions)
        self.consumer = consumer_of(
            self.reader,
            FakeDelivery(self.reader, faults),
            FakeScorer,
            OffsetWindow(),
            listener=tell or self.metrics.on_notice,
        )

    def run(self, steps: int = 3) -> None:
        """Work for so many steps."""
        for _ in range(steps):
            self.consumer.step()

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float | None:
        """What Prometheus would read."""
        return self.metrics.registry.get_sample_value(name, dict(labels or {}))


def events(count: int, tenure: int = 30) -> list[Message]:
    """Valid events of partition 0."""
    return [event_message(0, o, tenure=tenure) for o in range(count)]


def test_every_record_is_counted_by_its_outcome() -> None:
    """Records in are records out: predictions and dead letters, these by reason."""
    watched = Watched({0: [*events(4), message(b"not JSON", offset=4)]})
    watched.run()

    assert watched.value("messaging_client_consumed_messages_total", IN) == 5
    assert watched.value("messaging_client_sent_messages_total", OUT) == 4
    assert watched.value("messaging_client_sent_messages_total", LETTERS) == 1
    assert watched.value("churnstream_dead_letters_total", {"reason": "not_json"}) == 1
    assert watched.value("churnstream_dead_letters_total", {"reason": "empty"}) == 0
    assert watched.value("churnstream_batch_size_sum") == 5


def test_a_batch_that_is_rolled_back_is_not_counted_as_sent() -> None:
    """What is read again is consumed twice, committed once, and aborted once."""
    watched = Watched({0: events(4)}, faults=[AbortableError("no")])
    watched.run(5)

    assert watched.value("messaging_client_consumed_messages_total", IN) == 8
    assert watched.value("messaging_client_sent_messages_total", OUT) == 4
    assert watched.value("churnstream_transactions_aborted_total") == 1
    assert watched.value("churnstream_transactions_committed_total") == 1


def test_scores_and_latency_count_every_event() -> None:
    """The distributions hold each scored event once, in its bucket."""
    watched = Watched({0: events(4, tenure=30)})
    watched.run()

    assert watched.value("churnstream_churn_probability_bucket", {"le": "0.25"}) == 0
    assert watched.value("churnstream_churn_probability_bucket", {"le": "0.3"}) == 4
    assert watched.value("churnstream_churn_probability_sum") == pytest.approx(1.2)
    assert watched.value("churnstream_event_latency_seconds_count") == 4


def test_lag_is_what_is_not_committed() -> None:
    """Lag is the whole topic before the first commit, and nothing after the last."""
    watched = Watched({0: events(150)}, faults=[AbortableError("no")])
    watched.consumer.step()
    assert watched.value("churnstream_consumer_lag", {"partition": "0"}) == 150

    watched.run(8)
    assert watched.value("churnstream_consumer_lag", {"partition": "0"}) == 0


def test_partitions_that_are_taken_away_have_no_lag_here() -> None:
    """Another member tells the lag of a partition that is no longer ours."""
    watched = Watched({0: events(2)})
    watched.run()
    watched.reader.assigned.clear()
    watched.reader.membership.rebalances = 1
    watched.run(1)

    assert watched.value("churnstream_consumer_lag", {"partition": "0"}) is None
    assert watched.value("churnstream_rebalances_total") == 1


def test_the_model_in_use_is_the_last_one(trained: Path) -> None:
    """One version at a time has the value 1."""
    watched = Watched({})
    model = load(trained)
    later = replace(model, manifest=msgspec.structs.replace(model.manifest, version="v2"))
    watched.metrics.use_model(model)
    watched.metrics.use_model(later)

    assert watched.value("churnstream_model_info", {"version": model.version}) is None
    assert watched.value("churnstream_model_info", {"version": "v2"}) == 1
    assert watched.value("churnstream_model_swaps_total") == 1


def test_rejected_models_are_counted() -> None:
    """Each rejection counts once, however often the consumer goes round."""
    watched = Watched({})
    watched.metrics.rejected_models = lambda: 2
    watched.run(3)

    assert watched.value("churnstream_model_swaps_rejected_total") == 2


def test_a_challenger_is_compared_by_its_version() -> None:
    """How often it agrees, and how much higher it scores; nothing before it scored anything."""
    watched = Watched({})
    shadow = ShadowBuilder()
    watched.metrics.compared = shadow.build
    assert watched.value("churnstream_challenger_events", {"version": "new"}) is None

    shadow.add(("old", "new"), (np.array([0.1, 0.9]), np.array([0.3, 0.4])), (0.5, 0.5), 0)

    assert watched.value("churnstream_challenger_events", {"version": "new"}) == 2
    assert watched.value("churnstream_challenger_agreement", {"version": "new"}) == 0.5
    assert watched.value(
        "churnstream_challenger_mean_difference", {"version": "new"}
    ) == pytest.approx(-0.15)


@given(
    batches=st.lists(st.lists(st.floats(-1, 2), max_size=20), max_size=5),
)
def test_a_histogram_counts_as_the_librarys_own(batches: list[list[float]]) -> None:
    """Batches of values end in the buckets that values one by one would end in."""
    from prometheus_client import Histogram

    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bounds = (0.1, 0.5, 1.0)
    histogram = BatchHistogram("h", "", bounds, ours)
    reference = Histogram("h", "", buckets=bounds, registry=theirs)
    for batch in batches:
        histogram.add(np.array(batch, dtype=np.float64))
        for value in batch:
            reference.observe(value)

    for bound in ("0.1", "0.5", "1.0", "+Inf"):
        named = "h_bucket", {"le": bound}
        assert ours.get_sample_value(*named) == theirs.get_sample_value(*named)
    assert ours.get_sample_value("h_sum") == pytest.approx(theirs.get_sample_value("h_sum"))


def test_drift_is_told_once_the_window_is_full(
    trained: Path, customers: list[CustomerEvent]
) -> None:
    """Customers like those of the training do not drift, customers of one contract do."""
    model = load(trained)
    watch = DriftMonitor(model)
    alike = customers[: WINDOW - 1]
    for event in alike:
        assert watch.add([event], model.score([event])) is None
    found = watch.add(customers[:1], model.score(customers[:1]))
    assert found is not None
    assert found.drifted == []

    loyal = [event for event in customers if event.Contract == "Two year"]
    verdicts = [watch.add(loyal[:25], model.score(loyal[:25])) for _ in range(WINDOW // 25)]
    assert verdicts[:-1] == [None] * (len(verdicts) - 1)
    assert verdicts[-1] is not None
    assert "Contract" in verdicts[-1].drifted


# ---- health ----


def test_a_consumer_without_model_or_partition_is_not_ready() -> None:
    """It says what it waits for, and is ready once it has both."""
    watched = Watched({0: events(1)})
    assert "model" in watched.health.unready()
    watched.health.model = "v1"
    assert "partition" in watched.health.unready()
    watched.consumer.step()
    assert watched.health.unready() == ""


def test_a_consumer_with_nothing_to_do_lives() -> None:
    """Without lag there is nothing to commit, however long that lasts."""
    watched = Watched({0: events(3)})
    watched.run()
    for _ in range(3):
        watched.clock.now += 50
        watched.run(1)
    assert watched.health.stalled() == ""


def test_a_consumer_that_commits_nothing_is_not_alive() -> None:
    """Events that wait without a commit for longer than the timeout are a stall."""
    watched = Watched({0: events(3)}, faults=[AbortableError("no")] * 2)
    watched.run(2)
    watched.clock.now += 61
    watched.run(1)
    assert "nothing was committed for 61 s" in watched.health.stalled()
    assert watched.health.unready()

    watched = Watched({0: events(3)})
    watched.run(4)
    assert watched.health.stalled() == ""


def test_a_consumer_whose_loop_stands_is_not_alive() -> None:
    """Not even asking for records counts as a stall, lag or not."""
    watched = Watched({0: events(3)})
    watched.run()
    watched.clock.now += 61
    assert "stuck for 61 s" in watched.health.stalled()


def test_a_consumer_that_hears_nothing_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has a partition and never got an answer about it cannot know that nothing waits."""
    watched = Watched({0: []})
    monkeypatch.setattr(watched.reader, "end_offsets", dict)
    monkeypatch.setattr(watched.reader, "poll", lambda *_: PolledRecords.of([], {}))
    watched.reader.membership.assigned = {0}
    watched.run(1)
    watched.clock.now += 61
    watched.run(1)
    assert "no broker has answered for 1 partitions in 61 s" in watched.health.stalled()

    monkeypatch.setattr(watched.reader, "end_offsets", lambda: {0: 0})
    watched.run(1)
    assert watched.health.stalled() == ""


@pytest.mark.parametrize("partitions", [{0}, set()], ids=["with", "without"])
def test_a_consumer_without_a_broker_is_not_alive(partitions: set[int]) -> None:
    """Also one that has caught up, and also once its partitions are lost: nobody else has them."""
    clock = Clock()
    health = ConsumerHealth(60, clock)
    health.model = "v1"

    def step(silence: float, *, cut_off: bool) -> None:
        stepped = Stepped(
            PolledRecords.of([], {}), frozenset(partitions), {0: 5}, 1, 0.5, 0, silence, cut_off
        )
        health.on_notice(stepped)

    step(1, cut_off=False)
    assert health.stalled() == ""
    step(2, cut_off=True)
    assert health.unready() == "no broker can be reached"
    step(20, cut_off=False)  # as with a broker that is frozen, and rejects nothing
    assert health.unready() == "no broker can be reached"
    assert health.stalled() == ""
    step(61, cut_off=False)
    assert health.stalled() == "no broker has answered for 61 s"
    step(1, cut_off=False)
    assert (health.stalled(), "broker" in health.unready()) == ("", False)


def test_a_producer_lives_while_it_sends() -> None:
    """It is ready from the first record on, and stalled when none follows."""
    clock = Clock()
    health = ProducerHealth(60, clock)
    metrics = ProducerMetrics(TOPICS, health)
    metrics.on_rows(1000)  # by an earlier run
    assert health.unready()
    metrics.on_rows(1500)
    assert health.unready() == ""
    assert metrics.registry.get_sample_value("messaging_client_sent_messages_total", IN) == 500
    clock.now += 61
    assert "nothing was sent for 61 s" in health.stalled()


# ---- the line in the log ----


def test_the_log_has_a_line_for_an_interval() -> None:
    """Many batches are one line, with their sums; no customer is in it."""
    clock = Clock()
    summary = IntervalLog(30, clock)
    watched = Watched({0: [*events(250), message(b"not JSON", offset=250)]}, tell=summary.on_notice)
    with capture_logs() as lines:
        watched.run(5)
        clock.now += 30
        watched.run(1)

    (line,) = [line for line in lines if line["event"] == "events_scored"]
    assert (line["scored"], line["dead_lettered"], line["batches"]) == (250, 1, 3)
    assert line["reasons"] == {"not_json": 1}
    assert line["offsets"] == {0: 251}
    assert "7590-VHVEG" not in str(lines)

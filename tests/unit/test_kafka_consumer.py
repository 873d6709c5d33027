import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import structlog
from confluent_kafka import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from builders import (
    TELCO,
    CustomerEvent,
    Prediction,
    customer,
    decode_prediction,
    event_message,
    message,
    without,
)
from churnstream.errors import (
    AbortableError,
    BrokerError,
    ConfigurationError,
    FencedError,
    ModelError,
    TopicMissingError,
)
from churnstream.kafka.polled_records import PolledRecords
from churnstream.pipeline.dead_letter_headers import parse_dead_letter
from churnstream.pipeline.delivery import AtLeastOnce, Delivery, ExactlyOnce
from churnstream.pipeline.offset_ranges import bounded, resolve
from churnstream.pipeline.offset_window import OffsetWindow
from churnstream.pipeline.scoring import Batch, Scorer
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.fields import known_values
from churnstream.settings import TopicSettings
from fakes import (
    FakeAdmin,
    FakeDelivery,
    FakeOffsets,
    FakeReader,
    FakeScorer,
    FakeStop,
    FakeTopics,
    FakeWriter,
    Journal,
    consumer_of,
    score_batch,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LARGE = 2**20
TOPICS = TopicSettings()


def events(partition: int, offsets: Sequence[int]) -> list[Message]:
    """Valid events at these offsets, told apart by their customerID."""
    return [event_message(partition, o, customerID=f"C{partition}-{o}") for o in offsets]


def broken(partition: int, offset: int) -> Message:
    """A record that is no event."""
    return message(b"not JSON", partition=partition, offset=offset)


def scored(
    records: Sequence[Message], scorer: Scorer | None = None, *, max_prediction_bytes: int = LARGE
) -> Batch:
    """The outcome of these records."""
    return score_batch(
        PolledRecords.of(list(records), {}),
        scorer or FakeScorer(),
        NOW,
        max_dead_letter_bytes=LARGE,
        max_prediction_bytes=max_prediction_bytes,
    )


def predictions(batch: Batch) -> list[Prediction]:
    """What the batch's predictions say."""
    return [decode_prediction(record["value"] or b"") for record in batch.predictions]


# ---- score_batch: records in, outcomes out ----


def test_a_prediction_names_its_event_model_and_timestamp() -> None:
    """A prediction can be traced to the place of its event and to the model that made it."""
    batch = scored([event_message(2, 17, tenure=70)])

    assert predictions(batch) == [
        Prediction(
            customerID="7590-VHVEG",
            churn_probability=0.7,
            prediction="Yes",
            event_ts=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            processed_ts=NOW,
            model_version="v1",
            source_partition=2,
            source_offset=17,
        )
    ]


class Explaining(FakeScorer):
    """Gives the second event of two a reason."""

    version = "v7"

    def reasons(
        self, events: Sequence[CustomerEvent], probabilities: NDArray[np.float64], explained: str
    ) -> list[list[ReasonGiven] | None]:
        """One for the second event alone."""
        return [None, [ReasonGiven("tenure", "60", 1.5, "because")]]


def test_every_column_of_a_prediction_is_the_right_one() -> None:
    """Predictions are made column by column: none takes the place of another, nor a row."""
    records = [
        event_message(2, 17, customerID="A", tenure=10, event_ts="2026-01-02T03:04:05Z"),
        event_message(1, 30, customerID="B", tenure=60, event_ts="2026-01-03T03:04:05Z"),
    ]

    assert [json.loads(r["value"] or b"") for r in scored(records, Explaining()).predictions] == [
        {
            "customerID": "A",
            "churn_probability": 0.1,
            "prediction": "No",
            "event_ts": "2026-01-02T03:04:05Z",
            "processed_ts": "2026-01-31T12:00:00Z",
            "model_version": "v7",
            "source_partition": 2,
            "source_offset": 17,
        },
        {
            "customerID": "B",
            "churn_probability": 0.6,
            "prediction": "Yes",
            "event_ts": "2026-01-03T03:04:05Z",
            "processed_ts": "2026-01-31T12:00:00Z",
            "model_version": "v7",
            "source_partition": 1,
            "source_offset": 30,
            "reasons": [{"feature": "tenure", "value": "60", "effect": 1.5, "text": "because"}],
        },
    ]


def test_a_prediction_has_its_events_key() -> None:
    """Predictions of a customer land on one partition, in order."""
    batch = scored(events(0, range(3)))

    assert [record["key"] for record in batch.predictions] == [b"C0-0", b"C0-1", b"C0-2"]


@pytest.mark.parametrize(("tenure", "says"), [(0, "No"), (49, "No"), (50, "Yes"), (100, "Yes")])
def test_the_models_threshold_decides(tenure: int, says: str) -> None:
    """The prediction is Yes from the threshold on."""
    (made,) = predictions(scored([event_message(tenure=tenure)]))

    assert made.prediction == says


class Doubtful(FakeScorer):
    """Has no idea of customers of 99 months."""

    def score(self, events: Sequence[CustomerEvent]) -> NDArray[np.float64]:
        """See `FakeScorer`."""
        scores = super().score(events)
        scores[scores == 0.99] = np.nan
        return scores


@pytest.mark.parametrize(("months", "number"), [(99, "nan"), (101, "1.01"), (1000, "10.0")])
def test_what_has_no_probability_is_a_dead_letter(months: int, number: str) -> None:
    """An event to which the model gives no number from 0 to 1 is set aside, and no other."""
    strange = event_message(0, 1, customerID="C0-1", tenure=months)
    records = [*events(0, [0]), strange, *events(0, [2]), broken(0, 3)]

    batch = scored(records, Doubtful())

    assert [made.source_offset for made in predictions(batch)] == [0, 2]
    assert [event.customerID for event in batch.events] == ["C0-0", "C0-2"]
    assert len(batch.probabilities) == 2
    assert [record.offset() for record in batch.rejected] == [3, 1]
    assert [why.reason for why in batch.rejections] == ["not_json", "not_scorable"]
    assert batch.next_offsets == PolledRecords.of(records, {}).next_offsets
    dead_letter = batch.dead_letters[1]
    assert dead_letter["value"] == strange.value()
    headers = dict(dead_letter["headers"])
    assert headers["churnstream.reason"] == b"not_scorable"
    assert (headers["__connect.errors.exception.message"] or b"").endswith(number.encode())


@pytest.mark.parametrize("room", [0, 1])
def test_a_prediction_that_does_not_fit_is_a_dead_letter(room: int) -> None:
    """What the output topic would not take for its size holds up no other prediction."""
    long = event_message(0, 1, customerID="C" * 5_000)
    records = [*events(0, [0]), long, *events(0, [2])]
    sizes = [
        len(made["value"] or b"") + len(made["key"] or b"") for made in scored(records).predictions
    ]
    limit = max(sizes) + 120 - 1 + room

    batch = scored(records, max_prediction_bytes=limit)

    assert [made.source_offset for made in predictions(batch)] == ([0, 1, 2] if room else [0, 2])
    assert len(batch.probabilities) == len(batch.events) == len(batch.predictions)
    assert [why.reason for why in batch.rejections] == ([] if room else ["too_large"])
    assert [dead_letter["value"] for dead_letter in batch.dead_letters] == (
        [] if room else [long.value()]
    )


def test_a_batch_without_any_probability_is_all_dead_letters() -> None:
    """Nothing is published of it, and nothing is lost."""
    batch = scored([event_message(0, n, tenure=99) for n in range(3)], Doubtful())

    assert (batch.predictions, batch.events, len(batch.dead_letters)) == ([], [], 3)


def test_a_batch_is_scored_at_once() -> None:
    """The model is asked once, for all events that decode."""
    scorer = FakeScorer()

    scored([*events(0, range(100)), broken(0, 100)], scorer)

    assert scorer.calls == [100]


def test_a_broken_record_becomes_a_dead_letter() -> None:
    """A dead letter is the record as it came, and headers that say what is wrong."""
    record = message(
        b"not JSON",
        key=b"k",
        partition=1,
        offset=7,
        headers=[("trace", b"42")],
        timestamp=(1, 1_767_323_045_678),
    )

    (dead_letter,) = scored([record]).dead_letters

    described = parse_dead_letter(message(headers=[*dead_letter["headers"]]))
    assert (dead_letter["key"], dead_letter["value"]) == (b"k", b"not JSON")
    assert described.timestamp == 1_767_323_045_678
    assert dead_letter["timestamp"] == NOW.timestamp() * 1000
    assert dead_letter["headers"][0] == ("trace", b"42")
    assert (described.topic, described.partition, described.offset) == (record.topic(), 1, 7)
    assert (described.group, described.model_version) == ("group", "v1")
    assert (described.reason, described.failed_at) == ("not_json", NOW)


def test_every_record_has_one_outcome_in_order() -> None:
    """Good and broken records among each other keep their order and their positions."""
    records = [*events(0, [0, 1]), broken(0, 2), *events(1, [5]), broken(1, 6), *events(0, [3])]

    batch = scored(records)

    assert (len(batch), len(batch.events), len(batch.rejected)) == (6, 4, 2)
    assert [event.customerID for event in batch.events] == ["C0-0", "C0-1", "C1-5", "C0-3"]
    assert list(zip(batch.partitions, batch.offsets, strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 5),
        (0, 3),
    ]
    assert [(made.source_partition, made.source_offset) for made in predictions(batch)] == [
        (0, 0),
        (0, 1),
        (1, 5),
        (0, 3),
    ]
    assert batch.rejected == [records[2], records[4]]
    assert [str(why) for why in batch.rejections] == [
        parse_dead_letter(message(headers=[*dead_letter["headers"]])).message
        for dead_letter in batch.dead_letters
    ]


def test_the_offset_is_behind_the_last_record_broken_or_not() -> None:
    """A broken record at the end of a partition is done with, like any other."""
    batch = scored([*events(0, [0]), broken(0, 1), broken(2, 8), *events(1, [3, 4])])

    assert batch.next_offsets == {0: 2, 1: 5, 2: 9}


def test_a_batch_of_broken_records_alone_is_a_batch() -> None:
    """With nothing to score there are dead letters and an offset."""
    batch = scored([broken(0, 0), broken(0, 1)])

    assert (batch.predictions, len(batch.dead_letters), batch.next_offsets) == ([], 2, {0: 2})
    assert batch.probabilities.shape == (0,)


def test_no_records_have_no_outcome() -> None:
    """An idle poll yields an empty batch."""
    batch = scored([])

    assert (len(batch), batch.predictions, batch.dead_letters, batch.next_offsets) == (
        0,
        [],
        [],
        {},
    )


@settings(deadline=None)
@given(st.lists(st.sampled_from(["good", "broken", "unknown"]), max_size=12), st.data())
def test_the_boundaries_of_batches_change_nothing(kinds: list[str], data: st.DataObject) -> None:
    """Records in one batch or in two have the same outcomes, each exactly one."""
    made = {
        "good": lambda o: event_message(0, o, tenure=o),
        "broken": lambda o: broken(0, o),
        "unknown": lambda o: event_message(0, o, Contract="Weekly"),
    }
    records = [made[kind](offset) for offset, kind in enumerate(kinds)]
    middle = data.draw(st.integers(0, len(records)))

    whole, parts = scored(records), [scored(records[:middle]), scored(records[middle:])]

    for name in ("predictions", "dead_letters", "rejected", "offsets"):
        assert getattr(whole, name) == [item for part in parts for item in getattr(part, name)]
    rejected = [record.offset() or 0 for record in whole.rejected]
    assert sorted([*whole.offsets, *rejected]) == list(range(len(kinds)))


@pytest.mark.parametrize("field", [n for n in TELCO.categorical if n != "SeniorCitizen"])
def test_an_unknown_category_becomes_a_dead_letter(field: str) -> None:
    """A value that the model never saw is rejected, with the field and what the model knows."""
    batch = scored([event_message(0, 0, **{field: "Weekly"}), *events(0, [1])])

    (why,) = batch.rejections
    assert (why.reason, why.field) == ("unknown_category", field)
    assert why.detail.startswith('"Weekly" is ')
    assert all(json.dumps(known) in why.detail for known in known_values(TELCO.fields[field]))
    assert [event.customerID for event in batch.events] == ["C0-1"]


@pytest.mark.parametrize("field", [name for name in customer() if name != "event_ts"])
def test_a_missing_field_becomes_a_dead_letter(field: str) -> None:
    """An event that lacks a field is rejected, and the one after it is scored."""
    batch = scored([message(without(field)), *events(0, [1])])

    (dead_letter,) = batch.dead_letters
    assert dead_letter["value"] == without(field)
    assert str(batch.rejections[0]) == f"{field}: is missing"
    assert len(batch.predictions) == 1


def test_a_record_too_large_for_its_headers_goes_without_its_value() -> None:
    """What the dead-letter topic would reject is sent without its value, and says so."""
    noise = b"x" * LARGE

    (dead_letter,) = scored([message(noise, offset=3)]).dead_letters

    assert dead_letter["value"] is None
    assert ("churnstream.value.omitted.bytes", str(LARGE).encode()) in dead_letter["headers"]
    assert parse_dead_letter(message(headers=[*dead_letter["headers"]])).offset == 3


def test_a_record_whose_headers_are_too_large_goes_without_them() -> None:
    """A record that is nothing but large headers cannot stop the consumer either."""
    record = message(b"x", offset=3, headers=[("large", b"x" * LARGE), ("small", b"x")])

    (dead_letter,) = scored([record]).dead_letters

    assert ("churnstream.headers.omitted.count", b"2") in dead_letter["headers"]
    assert {"large", "small"}.isdisjoint(dict(dead_letter["headers"]))
    assert parse_dead_letter(message(headers=[*dead_letter["headers"]])).offset == 3


@pytest.mark.parametrize("count", [1, 3])
def test_a_model_with_rows_of_its_own_is_stopped(count: int) -> None:
    """More or fewer probabilities than events would go to the wrong customers."""

    class Resampling(FakeScorer):
        def score(self, events: Sequence[CustomerEvent]) -> NDArray[np.float64]:
            return np.full(count, 0.5)

    with pytest.raises(ModelError, match=f"gave {count} probabilities for 2 events"):
        scored(events(0, [0, 1]), Resampling())


# ---- Consumer: what is committed when ----


class Setup:
    """A consumer on fakes; `seen` are the batches that it told of."""

    def __init__(
        self,
        partitions: Mapping[int, Sequence[Message]],
        *,
        faults: Sequence[Exception | None] = (),
        window: OffsetWindow | None = None,
        batch_size: int = 100,
        check_topics: Callable[[], None] = lambda: None,
        **reader: Any,
    ) -> None:
        self.reader = FakeReader(partitions, **reader)
        self.delivery = FakeDelivery(self.reader, faults)
        self.seen: list[Batch] = []
        self.stop = FakeStop()
        self.consumer = consumer_of(
            self.reader,
            self.delivery,
            FakeScorer,
            window or OffsetWindow(),
            batch_size=batch_size,
            topics=FakeTopics(check_topics),
            on_batch=self.seen.append,
        )

    def run(self, steps: float = float("inf")) -> None:
        """Run until the window is done, or for so many steps."""
        self.stop = FakeStop(after=steps)
        self.consumer.run(self.stop)

    def positions(self) -> list[tuple[int, int]]:
        """Partition and offset of every published prediction, in order."""
        made = [
            decode_prediction(record["value"] or b"")
            for published in self.delivery.published
            for record in published.predictions
        ]
        return [(one.source_partition, one.source_offset) for one in made]

    def sizes(self) -> list[int]:
        """The sizes of the batches that somebody was told of."""
        return [len(batch) for batch in self.seen]


def test_outcomes_and_offsets_are_published_together() -> None:
    """One poll ends in one publish, of predictions, dead letters and the offset behind them."""
    setup = Setup({0: [*events(0, [0, 1]), broken(0, 2)], 1: events(1, [0])})

    setup.run(steps=1)

    (published,) = setup.delivery.published
    assert (len(published.predictions), len(published.dead_letters)) == (3, 1)
    assert published.offsets == {0: 3, 1: 1}
    assert setup.sizes() == [4]


def test_a_poll_takes_no_more_than_a_batch() -> None:
    """The batch size bounds what is scored and committed at once."""
    setup = Setup({0: events(0, range(5))}, batch_size=2)

    setup.run(steps=3)

    assert setup.reader.asked == [2, 2, 2]
    assert setup.sizes() == [2, 2, 1]
    assert setup.reader.commits == [{0: 2}, {0: 4}, {0: 5}]


def test_a_batch_that_failed_is_tried_again_with_half_of_it() -> None:
    """Where a whole one takes longer than a transaction may last, a smaller one gets through."""
    setup = Setup({0: events(0, range(12))}, batch_size=4, faults=[AbortableError("no")] * 2)

    setup.run(steps=20)

    assert (setup.sizes()[0], max(setup.sizes()[1:]), sum(setup.sizes())) == (1, 4, 12)


def test_where_nothing_was_read_nothing_is_committed() -> None:
    """An idle consumer whose place is known opens no transaction."""
    setup = Setup({0: events(0, [0])})

    setup.run(steps=5)

    assert setup.delivery.attempts == 1
    assert setup.sizes() == [1]


def test_the_end_of_a_partition_is_its_offset() -> None:
    """Transaction markers behind the last record count as read, so that the lag becomes 0."""
    setup = Setup({0: events(0, [0, 1])}, markers=2)

    setup.run(steps=1)

    assert setup.reader.commits == [{0: 4}]


def test_an_end_without_records_is_committed_once() -> None:
    """A partition that holds nothing but markers has its offset moved, and nobody is told."""
    setup = Setup({0: []}, committed={0: 7})

    setup.run(steps=3)

    assert setup.reader.commits == [{0: 7}]
    assert setup.seen == []


def test_a_record_that_arrives_behind_the_end_moves_the_offset_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The larger counts, of the end that was told and the record that came after it."""
    setup = Setup({0: []})
    found = PolledRecords.of(events(0, [0, 1]), {0: 1})
    monkeypatch.setattr(setup.reader, "poll", lambda most, timeout: found)

    setup.run(steps=1)

    assert setup.reader.commits == [{0: 2}]


def test_only_offsets_that_moved_are_committed() -> None:
    """A partition that stood still since the last commit is left out of the next."""
    arrivals = {1: events(1, [1]), 2: events(0, [1])}
    setup = Setup({0: events(0, [0]), 1: events(1, [0])}, arrivals=arrivals)

    setup.run(steps=3)

    assert setup.reader.commits == [{0: 1, 1: 1}, {1: 2}, {0: 2}]


def test_a_batch_that_failed_is_rolled_back_and_read_again() -> None:
    """After an abort the same records are read again, and have one outcome in the end."""
    setup = Setup({0: events(0, range(3))}, faults=[AbortableError("committing failed")])

    with capture_logs() as logs:
        setup.run(steps=5)

    assert setup.positions() == [(0, 0), (0, 1), (0, 2)]
    order = [entry[0] for entry in setup.reader.journal if entry[0] != "group_metadata"]
    assert order == ["roll_back", "rewind", "commit"]
    assert [(log["event"], log["events"]) for log in logs] == [("batch_rolled_back", 3)]


def test_each_line_about_a_batch_names_its_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the thread that publishes, and when the next batch was read ahead already."""
    setup = Setup(
        {0: events(0, range(4)), 1: events(1, range(7, 9))},
        batch_size=3,
        faults=[AbortableError("no")],
    )
    log = structlog.get_logger()
    publish, score = setup.delivery.publish, FakeScorer.score
    monkeypatch.setattr(
        setup.delivery, "publish", lambda *outcome: log.info("publish") or publish(*outcome)
    )
    monkeypatch.setattr(
        FakeScorer, "score", lambda self, events: log.info("score") or score(self, events)
    )

    with capture_logs([merge_contextvars]) as logs:
        setup.run(steps=2)
        log.info("done")

    assert [(line["event"], line.get("offsets")) for line in logs] == [
        ("score", {0: "0-2"}),
        ("publish", {0: "0-2"}),
        ("score", {0: "3-3", 1: "7-8"}),
        ("batch_rolled_back", {0: "0-2"}),
        ("done", None),
    ]


def test_nobody_is_told_of_a_batch_that_failed() -> None:
    """The summary counts what is committed, and counts it once."""
    setup = Setup({0: events(0, range(3))}, faults=[AbortableError("no")] * 2)

    setup.run(steps=9)

    assert setup.sizes() == [3]


def test_an_offset_that_was_not_committed_is_not_remembered() -> None:
    """The place of a batch that was rolled back is committed when the batch succeeds."""
    setup = Setup(
        {0: events(0, range(2))},
        faults=[None, AbortableError("no")],
        arrivals={1: events(0, [2])},
    )

    setup.run(steps=6)

    assert setup.reader.commits == [{0: 2}, {0: 3}]
    assert setup.positions() == [(0, 0), (0, 1), (0, 2)]


def test_what_was_read_ahead_of_a_batch_that_failed_is_read_again() -> None:
    """Records behind a batch that was rolled back are never committed before it."""
    setup = Setup({0: events(0, range(6))}, batch_size=2, faults=[None, AbortableError("no")])

    setup.run(steps=9)

    assert setup.reader.commits == [{0: 2}, {0: 3}, {0: 4}, {0: 6}]  # smaller after the failure
    assert setup.positions() == [(0, offset) for offset in range(6)]


def test_a_topic_that_is_gone_is_no_reason_to_try_again() -> None:
    """A batch that failed because a topic was deleted ends the process with its name."""

    def check_topics() -> None:
        raise TopicMissingError("no topic telco.deadletter")

    setup = Setup({0: events(0, [0])}, faults=[AbortableError("no")], check_topics=check_topics)

    with pytest.raises(TopicMissingError, match=r"telco\.deadletter"):
        setup.run(steps=3)


@pytest.mark.parametrize("fault", [BrokerError("no"), FencedError("no")])
def test_a_fault_beyond_repair_commits_nothing(fault: Exception) -> None:
    """Any other fault reaches the caller, with the place where it was and the group left."""
    setup = Setup({0: events(0, [0])}, faults=[fault])

    with pytest.raises(type(fault)):
        setup.run(steps=3)
    assert (setup.reader.commits, setup.seen, setup.reader.rewinds) == ([], [], 0)
    assert setup.reader.closed


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=3),
    failing=st.lists(st.booleans(), max_size=6),
    losses=st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 2), min_size=1), max_size=3),
    batch_size=st.integers(1, 5),
    markers=st.integers(0, 2),
)
def test_whatever_fails_every_record_has_exactly_one_outcome(
    sizes: list[int],
    failing: list[bool],
    losses: dict[int, set[int]],
    batch_size: int,
    markers: int,
) -> None:
    """Batches fail and partitions are taken away; nothing is lost, nothing committed twice."""
    setup = Setup(
        {p: events(p, range(size)) for p, size in enumerate(sizes)},
        faults=[AbortableError("no") if fails else None for fails in failing],
        losses=losses,
        batch_size=batch_size,
        markers=markers,
    )

    setup.run(steps=3 * (sum(sizes) + len(failing) + len(losses)) + 9)

    assert sorted(setup.positions()) == [
        (p, o) for p, size in enumerate(sizes) for o in range(size)
    ]
    assert sum(setup.sizes()) == sum(sizes)
    assert setup.reader.committed == {p: s + markers if s else 0 for p, s in enumerate(sizes)}


@pytest.mark.parametrize(
    "window", [OffsetWindow({0: 3}), OffsetWindow({0: 6}, 3)], ids=["end", "number"]
)
def test_a_stop_while_the_last_batch_fails_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, window: OffsetWindow
) -> None:
    """Nothing goes back any more, so nothing behind the batch may be read and committed."""
    setup = Setup({0: events(0, range(6))}, window=window, batch_size=3)
    publish, is_done, waiting = setup.delivery.publish, window.is_done, threading.Event()

    def is_done_but_for_this_batch(assigned: Collection[int]) -> bool:
        if done := is_done(assigned):
            waiting.set()
        return done

    def stop_and_fail_once(*outcomes: Any) -> None:
        assert waiting.wait(10)
        if setup.stop.requested():
            return publish(*outcomes)
        setup.stop.request()
        raise AbortableError("no")

    monkeypatch.setattr(window, "is_done", is_done_but_for_this_batch)
    monkeypatch.setattr(setup.delivery, "publish", stop_and_fail_once)
    setup.run()

    assert setup.delivery.published == []
    assert setup.reader.committed == {}


def test_a_commit_whose_answer_was_lost_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group's offset tells that it happened: the batch hears of, and not scored again."""
    setup = Setup({0: events(0, range(6))}, batch_size=3)
    publish, answers = setup.delivery.publish, [AbortableError("no answer")]

    def publish_silently(*outcomes: Any) -> None:
        publish(*outcomes)
        if answers:
            raise answers.pop()

    monkeypatch.setattr(setup.delivery, "publish", publish_silently)
    setup.run(steps=9)

    assert setup.positions() == [(0, o) for o in range(6)]
    assert sum(setup.sizes()) == 6


# ---- PolledRecords ----


def test_what_was_handed_over_before_is_left_out() -> None:
    """Records before an offset are gone, and their positions; other partitions stay as they are."""
    found = polled({0: [3, 4, 5], 1: [7]}, {1: 8}).since({0: 5, 1: 7, 2: 9})

    assert list(zip(found.partitions, found.offsets, strict=True)) == [(0, 5), (1, 7)]
    assert (found.next_offsets, found.end_offsets) == ({0: 6, 1: 8}, {1: 8})


# ---- Consumer: two batches at a time ----


def test_a_batch_is_polled_while_the_one_before_it_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Waiting for the broker does not keep the consumer from reading on."""
    setup = Setup({0: events(0, range(2))}, batch_size=1)
    poll, publish = setup.reader.poll, setup.delivery.publish
    polled_again = threading.Event()

    def poll_and_tell(most: int, timeout: float) -> PolledRecords:
        if setup.reader.asked:
            polled_again.set()
        return poll(most, timeout)

    def publish_slowly(*outcomes: Any) -> None:
        assert polled_again.wait(10)
        publish(*outcomes)

    monkeypatch.setattr(setup.reader, "poll", poll_and_tell)
    monkeypatch.setattr(setup.delivery, "publish", publish_slowly)
    setup.run(steps=2)

    assert setup.reader.commits == [{0: 1}, {0: 2}]


def test_partitions_are_not_given_up_before_their_batch_is_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever is assigned them next goes on behind what was published."""
    setup = Setup({0: events(0, range(2))}, batch_size=1, losses={1: [0]})
    before_loss, publish = setup.reader.membership.before_loss, setup.delivery.publish
    losing = threading.Event()

    def tell_and_wait(still_ours: bool) -> None:
        losing.set()
        before_loss(still_ours)

    def publish_late(*outcomes: Any) -> None:
        assert losing.wait(10)
        publish(*outcomes)

    monkeypatch.setattr(setup.reader.membership, "before_loss", tell_and_wait)
    monkeypatch.setattr(setup.delivery, "publish", publish_late)
    setup.run(steps=4)

    order = [entry[0] for entry in setup.reader.journal if entry[0] != "group_metadata"]
    assert order == ["commit", "loss", "rewind", "commit"]
    assert setup.positions() == [(0, 0), (0, 1)]


def test_the_membership_is_looked_up_where_records_are_polled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes stale with every rebalance, and rebalances happen while polling."""
    setup = Setup({0: events(0, [0])})
    threads: list[threading.Thread] = []
    monkeypatch.setattr(
        setup.reader, "group_metadata", lambda: threads.append(threading.current_thread())
    )

    setup.run(steps=1)

    assert threads == [threading.current_thread()]


# ---- Consumer: where a run ends ----


def test_a_run_ends_with_its_window_and_leaves_the_group() -> None:
    """A bounded run reads up to the window's end, and no further."""
    setup = Setup({0: events(0, range(10))}, window=OffsetWindow({0: 4}), batch_size=3)

    setup.run()

    assert setup.positions() == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert setup.reader.committed == {0: 4}
    assert setup.reader.closed


def test_a_member_without_partitions_ends_when_its_group_has_read_the_window() -> None:
    """More members than partitions: the one that has none need not wait for ever."""
    setup = Setup({}, window=OffsetWindow({0: 4}), committed={0: 4})

    setup.run()

    assert setup.positions() == []
    assert setup.reader.closed


def test_a_run_reads_no_more_than_the_number_it_was_given() -> None:
    """The last poll asks for what is still missing, and what lies behind it stays unread."""
    setup = Setup(
        {0: events(0, range(10))}, window=OffsetWindow({0: 10}, max_records=5), batch_size=3
    )

    setup.run()

    assert setup.reader.asked == [3, 2]
    assert setup.reader.committed == {0: 5}


def test_the_next_run_goes_on_where_the_last_one_ended() -> None:
    """Windows side by side lose no record at their edge, and score none twice."""
    records = {0: events(0, range(6)), 1: events(1, range(3))}
    positions: list[tuple[int, int]] = []
    committed: dict[int, int] = {}
    for _ in range(3):
        window = OffsetWindow({0: 6, 1: 3}, max_records=3)
        window.start_from(committed)
        setup = Setup(records, window=window, committed=committed)
        setup.run()
        positions += setup.positions()
        committed = setup.reader.committed

    assert sorted(positions) == [(0, o) for o in range(6)] + [(1, o) for o in range(3)]


def test_a_stop_finishes_the_batch_in_hand() -> None:
    """A run that is stopped has committed what it read, and told of it."""
    setup = Setup({0: events(0, range(9))}, batch_size=3)

    setup.run(steps=2)

    assert setup.reader.commits == [{0: 3}, {0: 6}]
    assert setup.sizes() == [3, 3]
    assert setup.reader.closed


def test_the_last_batch_of_a_window_is_part_of_it_however_often_it_fails() -> None:
    """A run is not done before its last batch is committed."""
    setup = Setup(
        {0: events(0, range(4))}, window=OffsetWindow({0: 4}), faults=[AbortableError("no")] * 3
    )

    setup.run()

    assert setup.reader.committed == {0: 4}
    assert setup.sizes() == [4]


def test_a_number_counts_only_what_is_committed() -> None:
    """Records of a batch that was rolled back do not use up the number of the window."""
    setup = Setup(
        {0: events(0, range(9))},
        window=OffsetWindow({0: 9}, max_records=4),
        faults=[AbortableError("no")] * 2,
    )

    setup.run()

    assert setup.positions() == [(0, 0), (0, 1), (0, 2), (0, 3)]


@pytest.mark.parametrize("window", [None, OffsetWindow({0: 1})], ids=["open", "bounded"])
def test_failures_in_a_row_are_tried_again_ever_more_slowly(window: OffsetWindow | None) -> None:
    """A batch that keeps failing does not keep the broker busy, wherever it is in the window."""
    faults = [AbortableError("no")] * 8
    setup = Setup({0: events(0, [0])}, window=window, faults=faults)

    setup.run(steps=30)

    assert setup.stop.waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert setup.reader.committed == {0: 1}


def test_a_success_ends_a_row_of_failures() -> None:
    """After a batch went well, the next failure is tried again soon."""
    faults = [AbortableError("no"), AbortableError("no"), None, AbortableError("no")]
    setup = Setup({0: events(0, range(2))}, batch_size=1, faults=faults)

    setup.run(steps=12)

    assert setup.stop.waits == [0.2, 0.4, 0.2]


# ---- Window ----


def polled(
    records: Mapping[int, Sequence[int]] | None = None, ends: Mapping[int, int] | None = None
) -> PolledRecords:
    """Records at these offsets, by partition, and the ends that were told."""
    messages = [
        message(b"", partition=p, offset=o) for p, os in (records or {}).items() for o in os
    ]
    return PolledRecords.of(messages, dict(ends or {}))


def offsets_of(found: PolledRecords) -> list[tuple[int | None, int | None]]:
    """Partition and offset of every record."""
    return [(record.partition(), record.offset()) for record in found.records]


def test_an_open_window_admits_everything_for_ever() -> None:
    """Without an end a window is never done, and leaves nothing out."""
    window, everything = OffsetWindow(), polled({0: [0, 1], 7: [9]}, {0: 2})

    assert window.admit(everything) == everything
    window.advance(everything, 3)
    assert not window.is_done({0, 7})
    assert window.room(100) == 100


def test_a_window_admits_what_lies_before_its_ends() -> None:
    """Records at or behind the end, and of partitions that it does not name, are left out."""
    window = OffsetWindow({0: 2, 1: 0})

    inside = window.admit(polled({0: [0, 1, 2, 3], 1: [0], 2: [0]}))

    assert offsets_of(inside) == [(0, 0), (0, 1)]
    assert inside.next_offsets == {0: 2}


def test_a_window_is_done_when_every_partition_is() -> None:
    """Reading must have come to the end of each partition."""
    window = OffsetWindow({0: 2, 1: 1})

    window.advance(polled({0: [0, 1]}), 2)
    assert not window.is_done({0, 1})
    window.advance(polled({1: [0]}), 1)
    assert window.is_done({0, 1})


def test_the_end_of_a_partition_stands_for_its_last_offsets() -> None:
    """The last offsets before an end may hold markers, which never arrive as records."""
    window = OffsetWindow({0: 5})

    window.advance(polled({0: [0, 1, 2]}), 3)
    assert not window.is_done({0})
    window.advance(polled(ends={0: 5}), 0)
    assert window.is_done({0})


def test_an_end_beyond_the_window_does_not_move_the_offset_beyond_it() -> None:
    """Records that arrived behind the window's end are for the next run."""
    inside = OffsetWindow({0: 2}).admit(polled({0: [0, 1, 2, 3]}, {0: 4}))

    assert offsets_of(inside) == [(0, 0), (0, 1)]
    assert all(end <= 2 for end in inside.end_offsets.values())


def test_an_end_before_the_window_counts_as_it_is() -> None:
    """Where the partition ends is its offset, as long as that lies in the window."""
    assert OffsetWindow({0: 9}).admit(polled({0: [0]}, {0: 3})).end_offsets == {0: 3}


def test_a_window_never_moves_an_offset_back() -> None:
    """A group that has read further than the window's end keeps its offset."""
    window = OffsetWindow({0: 10, 1: 5})
    window.start_from({0: 50, 1: 0})
    setup = Setup(
        {0: events(0, range(60)), 1: events(1, range(5))},
        window=window,
        committed={0: 50, 1: 0},
    )

    setup.run()

    assert setup.positions() == [(1, o) for o in range(5)]
    assert setup.reader.committed == {0: 50, 1: 5}


def test_a_window_waits_for_its_own_partitions_alone() -> None:
    """What other members of the group are assigned is theirs to finish."""
    window = OffsetWindow({0: 2, 1: 9})

    window.advance(polled({0: [0, 1]}), 2)

    assert window.is_done({0})
    assert not window.is_done({0, 1})


def test_a_window_whose_partitions_are_all_read_is_done_before_the_first_poll() -> None:
    """Whatever the group has read before is not waited for."""
    window = OffsetWindow({0: 2, 1: 9})
    window.start_from({0: 2, 1: 12})

    assert window.is_done(set())


def test_a_window_is_not_done_while_nothing_is_assigned() -> None:
    """Joining the group takes a while, in which a run must not end."""
    assert not OffsetWindow({0: 2}).is_done(set())


def test_an_empty_window_is_done() -> None:
    """Nothing to read is read at once."""
    assert OffsetWindow({0: 0, 1: 0}).is_done(set())


def test_a_window_of_a_number_has_that_much_room() -> None:
    """Each batch takes of the number what was admitted, and at 0 the window is done."""
    window = OffsetWindow({0: 100}, max_records=5)

    assert (window.room(3), window.room(9)) == (3, 5)
    window.advance(polled({0: [0, 1, 2]}), 3)
    assert window.room(9) == 2
    assert not window.is_done({0})
    window.advance(polled({0: [3, 4]}), 2)
    assert window.is_done({0})


# ---- a window as the user wrote it ----

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def bound(admin: FakeAdmin, **window: Any) -> tuple[OffsetWindow, dict[int, int]]:
    """The window of a run over the topic of `admin`."""
    return bounded(
        admin, "topic", "group", **{"start": None, "end": None, "max_messages": None} | window
    )


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31 13:00+01:00"]
)
def test_a_start_may_be_a_timestamp(text: str) -> None:
    """A timestamp stands for the offsets at it, in UTC where it has no offset of its own."""
    admin = FakeAdmin({0: 9}, at={0: 4})

    assert resolve(admin, "topic", text, "--from") == {0: 4}
    assert admin.asked_moments == [NOON]


@pytest.mark.parametrize(("text", "offsets"), [("0:1200", {0: 1200}), ("0:1,2:0", {0: 1, 2: 0})])
def test_a_start_may_be_offsets(text: str, offsets: dict[int, int]) -> None:
    """Offsets by partition are taken as they are; partitions may be left out."""
    assert resolve(FakeAdmin({0: 9, 1: 9, 2: 9}), "topic", text, "--from") == offsets


@pytest.mark.parametrize(
    "text", ["", "yesterday", "0", "0:", "0:1,", "0:-1", "1:2:3", "31.01.2026"]
)
def test_a_start_of_another_form_is_rejected(text: str) -> None:
    """The rejection names the flag and shows both forms."""
    with pytest.raises(ConfigurationError, match=r"^--to: .*0:1200,1:1180,2:1210") as caught:
        resolve(FakeAdmin({0: 9}), "topic", text, "--to")
    assert repr(text) in str(caught.value)


def test_a_partition_that_does_not_exist_is_rejected() -> None:
    """An offset for a partition that the topic does not have is a mistake."""
    with pytest.raises(ConfigurationError, match="topic has no partition 7"):
        resolve(FakeAdmin({0: 9}), "topic", "0:1,7:1", "--from")


def test_a_run_without_a_window_ends_where_the_topic_ended_when_it_began() -> None:
    """What arrives later is for the next run."""
    window, starts = bound(FakeAdmin({0: 3, 1: 0}))

    assert starts == {}
    assert offsets_of(window.admit(polled({0: [2, 3], 1: [0]}))) == [(0, 2)]


def test_a_window_ends_no_later_than_the_topic() -> None:
    """An end in the future is not waited for."""
    window, _ = bound(FakeAdmin({0: 3, 1: 5}), end="0:100,1:2")

    window.advance(polled({0: [0, 1, 2], 1: [0, 1]}), 5)
    assert window.is_done({0, 1})


def test_what_the_group_has_read_is_not_waited_for() -> None:
    """A second run over the same topic has nothing to do."""
    window, _ = bound(FakeAdmin({0: 3, 1: 5}, committed={0: 3, 1: 5}))

    assert window.is_done(set())


def test_what_retention_has_removed_is_not_waited_for() -> None:
    """A partition whose records are all gone is finished."""
    window, _ = bound(FakeAdmin({0: 30}, begins={0: 30}))

    assert window.is_done(set())


def test_a_window_starts_where_it_says_for_a_group_without_an_offset() -> None:
    """The reader is told where to begin, and what lies before is not waited for."""
    window, starts = bound(FakeAdmin({0: 30, 1: 30}), start="0:10,1:30")

    assert starts == {0: 10, 1: 30}
    window.advance(polled({0: [29]}), 1)
    assert window.is_done({0, 1})


def test_a_window_may_not_skip_what_its_group_has_not_scored() -> None:
    """The group's offset says that everything before it is done, so it never jumps."""
    with pytest.raises(ConfigurationError, match=r"skip offsets 4 to 9 of partition 0.*--group"):
        bound(FakeAdmin({0: 30}, committed={0: 4}), start="0:10")


@pytest.mark.parametrize("start", ["0:4", "0:0"])
def test_a_window_may_start_where_its_group_is_or_was(start: str) -> None:
    """What the group has scored already is not scored again, and is no fault."""
    window, _ = bound(FakeAdmin({0: 30}, committed={0: 4}), start=start)

    assert not window.is_done({0})


# ---- delivery: the order in which things become visible ----

MADE = [{"key": b"k", "value": b"p"}, {"key": b"k", "value": b"q"}]
LETTER = {"key": b"k", "value": b"v", "headers": [("name", b"content")], "timestamp": 5}


def delivered(
    kind: type[AtLeastOnce] | type[ExactlyOnce], topics: TopicSettings = TOPICS
) -> tuple[Delivery, FakeWriter, Journal]:
    """A delivery, where it sends to, and the order of all that it does."""
    journal: Journal = []
    writer = FakeWriter(journal)
    if kind is ExactlyOnce:
        return ExactlyOnce(FakeOffsets(), writer, topics), writer, journal
    return AtLeastOnce(FakeReader({0: []}, journal=journal), writer, topics), writer, journal


def test_at_least_once_commits_what_the_broker_has_confirmed() -> None:
    """Outputs are sent and confirmed before the offset moves."""
    delivery, writer, journal = delivered(AtLeastOnce)

    delivery.publish(MADE, [LETTER], {0: 3}, "metadata")  # type: ignore[arg-type, list-item]
    delivery.keep_offsets({0: 3}, in_rebalance=False)

    assert journal == [
        ("send", "telco.churn.predictions", 2),
        ("send", "telco.deadletter", 1),
        ("flush",),
        ("commit", {0: 3}),
    ]
    assert writer.sent == {"telco.churn.predictions": MADE, "telco.deadletter": [LETTER]}


def test_exactly_once_is_one_transaction() -> None:
    """Outputs and place go into one transaction, with the membership that polled them."""
    delivery, writer, journal = delivered(ExactlyOnce)

    delivery.publish(MADE, [LETTER], {0: 3}, "metadata")  # type: ignore[arg-type, list-item]
    delivery.keep_offsets({0: 3}, in_rebalance=False)

    assert journal == [
        ("begin",),
        ("send", "telco.churn.predictions", 2),
        ("send", "telco.deadletter", 1),
        ("commit_transaction", {0: 3}, "metadata"),
    ]
    assert writer.sent == {"telco.churn.predictions": MADE, "telco.deadletter": [LETTER]}


@pytest.mark.parametrize("kind", [AtLeastOnce, ExactlyOnce])
def test_the_newest_topic_gets_each_prediction_with_the_others(
    kind: type[AtLeastOnce] | type[ExactlyOnce],
) -> None:
    """Where it is set: the same records, before the offset moves, in the same transaction."""
    delivery, writer, journal = delivered(kind, TOPICS.model_copy(update={"newest": "newest"}))

    delivery.publish(MADE, [], {0: 3}, "metadata")  # type: ignore[arg-type]
    delivery.keep_offsets({0: 3}, in_rebalance=False)

    assert writer.sent == {"telco.churn.predictions": MADE, "newest": MADE}
    confirmed = [entry[0] in ("flush", "commit", "commit_transaction") for entry in journal]
    assert confirmed == sorted(confirmed)


def test_at_least_once_stores_the_offset_before_partitions_go() -> None:
    """In the rebalance itself, and not again after it: others may be further by then."""
    journal: Journal = []
    setup = Setup({0: events(0, range(2))}, batch_size=1, losses={1: [0]}, journal=journal)
    delivery = AtLeastOnce(setup.reader, FakeWriter(), TOPICS)
    vars(setup.consumer)["_publisher"]._delivery = delivery
    setup.run(steps=2)

    order = [entry for entry in journal if entry[0] != "group_metadata"]
    assert order == [("commit_in_rebalance", {0: 1}), ("loss",)]
    assert sum(setup.sizes()) == 1


def test_rolling_back_aborts_the_transaction() -> None:
    """Exactly once throws away what was sent; at least once leaves it to be sent again."""
    for kind, expected in ((ExactlyOnce, [("abort",)]), (AtLeastOnce, [])):
        delivery, _, journal = delivered(kind)
        delivery.roll_back()
        assert journal == expected

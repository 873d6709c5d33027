import errno
import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from builders import CustomerEvent, decode_event, telco_rows, write_csv
from churnstream.codecs.customer_rows import CustomerRows
from churnstream.connection_settings import KafkaSettings
from churnstream.errors import (
    AbortableError,
    BrokerError,
    CheckpointError,
    DataError,
    FencedError,
)
from churnstream.kafka.client import TopicPartition
from churnstream.kafka.writer import Record
from churnstream.pipeline import producer
from churnstream.pipeline.checkpoint import CheckpointKey, FileSink, TransactionSink
from churnstream.pipeline.event_forms import JsonEvents
from churnstream.pipeline.producer import BatchResult, produce_batch, produce_streaming
from fakes import FakeAdmin, FakeSink, FakeStop, FakeWriter, Journal

TOPIC = "telco.raw.customers"
SOURCE = CheckpointKey("digest", TOPIC)
ROWS: list[Record] = [{"key": b"C0", "value": b"{}"}, {"key": b"C1", "value": b"{}"}]


@pytest.fixture
def dataset(tmp_path: Path) -> CustomerRows:
    """Ten customers, C0 to C9."""
    return telco_rows(write_csv(tmp_path / "customers.csv", 10))


def keys(numbers: range) -> list[bytes | None]:
    """The keys of these customers."""
    return [f"C{number}".encode() for number in numbers]


def run(dataset: CustomerRows, sink: FakeSink | FileSink, **changes: Any) -> BatchResult:
    """Produce the file in batches of four, from where the last run stopped."""
    options: dict[str, Any] = {"batch_size": 4, "resume": True, "stop": FakeStop()} | changes
    return produce_batch(dataset, JsonEvents(dataset.schema), sink, **options)


# ---- produce_batch: the whole file in order ----


def test_the_whole_file_is_sent_in_order(dataset: CustomerRows) -> None:
    """Each row is sent once, and each batch ends with its position."""
    sink = FakeSink()

    assert run(dataset, sink) == BatchResult(resumed_at=0, sent=10, finished=True)
    assert sink.keys == keys(range(10))
    assert sink.positions == [4, 8, 10]


def test_rows_become_events_of_now(dataset: CustomerRows) -> None:
    """What is sent decodes, under its key, with the time of sending."""
    sent: list[Record] = []
    sink = FakeSink()
    sink.publish = lambda records, rows: sent.extend(records)  # type: ignore[method-assign]
    before = datetime.now(UTC)

    run(dataset, sink)

    events = [decode_event(record["value"], record["key"]) for record in sent]
    assert all(
        isinstance(event, CustomerEvent) and before <= event.event_ts <= datetime.now(UTC)
        for event in events
    )


def test_a_run_goes_on_where_the_last_one_stopped(dataset: CustomerRows) -> None:
    """Rows that were sent before are passed over, whatever the batch size was then."""
    sink = FakeSink(position=7)

    assert run(dataset, sink) == BatchResult(resumed_at=7, sent=3, finished=True)
    assert sink.resumed is True
    assert sink.keys == keys(range(7, 10))
    assert sink.positions == [10]


def test_a_finished_run_sends_nothing_again(dataset: CustomerRows) -> None:
    """A run that is started once more finds nothing left."""
    sink = FakeSink(position=10)

    assert run(dataset, sink) == BatchResult(resumed_at=10, sent=0, finished=True)
    assert sink.positions == []


def test_starting_over_sends_everything(dataset: CustomerRows) -> None:
    """Without resuming the place of earlier runs does not count."""
    sink = FakeSink(position=7)

    assert run(dataset, sink, resume=False) == BatchResult(0, 10, finished=True)
    assert sink.keys == keys(range(10))


def test_a_stop_ends_between_two_batches(dataset: CustomerRows) -> None:
    """A run that is stopped has sent whole batches, and says that there is more."""
    sink = FakeSink()

    assert run(dataset, sink, stop=FakeStop(after=2)) == BatchResult(0, 8, finished=False)
    assert sink.positions == [4, 8]


def test_progress_counts_rows_of_earlier_runs(dataset: CustomerRows) -> None:
    """Whoever watches sees how far the file is, not this run."""
    told: list[int] = []

    run(dataset, FakeSink(position=3), on_rows=told.append)

    assert told == [3, 7, 10]


def test_a_file_without_rows_is_sent_at_once(tmp_path: Path) -> None:
    """A header alone is a file of no customers."""
    empty = telco_rows(write_csv(tmp_path / "empty.csv", 0))

    assert run(empty, FakeSink()) == BatchResult(0, 0, finished=True)


@settings(deadline=None)
@given(
    stops=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=4),
    last=st.integers(1, 12),
)
def test_stopped_runs_in_a_row_send_every_row_once(
    stops: list[tuple[int, int]], last: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever runs are stopped and whatever their batch sizes, nothing is lost or repeated."""
    folder = tmp_path_factory.mktemp("resume")
    dataset = telco_rows(write_csv(folder / "customers.csv", 10))
    writer = FakeWriter()

    for size, batches in [*stops, (last, 20)]:
        sink = FileSink(writer, SOURCE, folder / "place.json")
        run(dataset, sink, batch_size=size, stop=FakeStop(after=batches))

    assert [record["key"] for record in writer.sent[TOPIC]] == keys(range(10))


# ---- FileSink: the position in a file ----


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a checkpoint file may be, in a folder that does not exist yet."""
    return tmp_path / "new" / "place.json"


def sink_at(
    place: Path, source: CheckpointKey = SOURCE, journal: Journal | None = None
) -> FileSink:
    """A new process with the same checkpoint file."""
    return FileSink(FakeWriter(journal), source, place)


def test_a_position_is_found_again(place: Path) -> None:
    """A new process reads what the last one wrote; the folder is made where it is missing."""
    sink_at(place).publish(ROWS, 2)

    assert sink_at(place).start(resume=True) == 2


def test_without_a_file_the_position_is_the_beginning(place: Path) -> None:
    """A first run starts at row 0, and writes nothing yet."""
    assert sink_at(place).start(resume=True) == 0
    assert not place.exists()


def test_starting_over_does_not_read_the_position(place: Path) -> None:
    """`--no-resume` begins at row 0."""
    sink_at(place).publish(ROWS, 2)

    assert sink_at(place).start(resume=False) == 0


def test_the_position_is_written_when_the_broker_has_the_rows(place: Path) -> None:
    """Rows are sent and confirmed first: a crash in between repeats them and loses none."""
    journal: Journal = []
    sink = sink_at(place, journal=journal)
    writer = sink._writer
    writer.flush = lambda: journal.append(("flush", place.exists()))  # type: ignore[method-assign]

    sink.publish(ROWS, 2)

    assert journal == [("send", TOPIC, 2), ("flush", False)]
    assert place.exists()


def test_rows_that_were_not_confirmed_do_not_move_the_position(place: Path) -> None:
    """A broker that rejects rows leaves the place where it was."""
    sink_at(place).publish(ROWS, 2)
    sink = sink_at(place)
    sink.start(resume=True)

    def reject() -> None:
        raise BrokerError("no")

    sink._writer.flush = reject  # type: ignore[method-assign]
    with pytest.raises(BrokerError):
        sink.publish(ROWS, 4)

    assert sink_at(place).start(resume=True) == 2


@pytest.mark.parametrize(
    "other", [CheckpointKey("other content", TOPIC), CheckpointKey("digest", "another.topic")]
)
def test_another_source_has_a_position_of_its_own(place: Path, other: CheckpointKey) -> None:
    """Other content or another topic never resumes from this one's place, nor moves it."""
    for source, rows in ((SOURCE, 2), (other, 5)):
        sink = sink_at(place, source)
        assert sink.start(resume=True) == 0
        sink.publish(ROWS, rows)

    assert sink_at(place).start(resume=True) == 2
    assert sink_at(place, other).start(resume=True) == 5


def test_starting_over_keeps_the_positions_of_others(place: Path) -> None:
    """`--no-resume` concerns its own file alone."""
    other = CheckpointKey("other content", TOPIC)
    sink_at(place, other).publish(ROWS, 5)
    sink = sink_at(place)
    sink.start(resume=False)
    sink.publish(ROWS, 2)

    assert sink_at(place, other).start(resume=True) == 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b'{"k": "many"}',
        b'{"k": 1.5}',
        b'{"k": -1}',
        b'{"\xff": 1}',
        b"\xff",
    ],
)
@pytest.mark.parametrize("resume", [True, False])
def test_a_file_that_holds_no_positions_is_rejected(
    place: Path, content: bytes, resume: bool
) -> None:
    """A damaged file is named with what to do, and is not overwritten."""
    place.parent.mkdir()
    place.write_bytes(content)

    with pytest.raises(CheckpointError, match=r"place\.json cannot be read .*--checkpoint-file"):
        sink_at(place).start(resume=resume)
    assert place.read_bytes() == content


def test_a_folder_is_no_checkpoint_file(place: Path) -> None:
    """A path that is a folder is rejected, like any other that cannot be read."""
    place.mkdir(parents=True)

    with pytest.raises(CheckpointError, match="Is a directory"):
        sink_at(place).start(resume=True)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, nothing reaches the disk any more."""

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(os, "fsync", fsync)


def test_a_full_disk_leaves_the_old_position(place: Path, full_disk: Callable[[], None]) -> None:
    """A place that cannot be kept is a clear fault, and the last one is still there."""
    sink = sink_at(place)
    sink.publish(ROWS, 2)
    full_disk()

    with pytest.raises(CheckpointError, match=r"place\.json cannot be written .*No space left"):
        sink.publish(ROWS, 4)
    assert sink_at(place).start(resume=True) == 2


def test_a_full_disk_ends_the_run(
    dataset: CustomerRows, place: Path, full_disk: Callable[[], None]
) -> None:
    """No further batch is sent once the position cannot be kept."""
    sink, writer = sink_at(place), FakeWriter()
    sink._writer = writer
    full_disk()

    with pytest.raises(CheckpointError):
        run(dataset, sink)
    assert [record["key"] for record in writer.sent[TOPIC]] == keys(range(4))


def test_a_folder_that_cannot_be_written_is_a_clear_fault(tmp_path: Path) -> None:
    """A file where the folder should be makes no traceback."""
    (tmp_path / "new").write_text("a file")

    with pytest.raises(CheckpointError, match="cannot be written"):
        sink_at(tmp_path / "new" / "place.json").publish(ROWS, 2)


def test_the_file_is_replaced_in_one_step(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new place is on the disk as a whole before it takes the old one's name."""
    sink = sink_at(place)
    sink.publish(ROWS, 2)
    steps: list[str] = []

    def note(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any) -> Any:
            steps.append(f"{name} with {json.loads(place.read_bytes())[SOURCE.key]} in place")
            return step(*args)

        return noted

    monkeypatch.setattr(os, "fsync", note("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", note("replace", Path.replace))
    sink.publish(ROWS, 4)

    assert steps == [
        "fsync with 2 in place",
        "replace with 2 in place",
        "fsync with 4 in place",  # of the folder
    ]
    assert json.loads(place.read_bytes()) == {SOURCE.key: 4}
    assert {path.name for path in place.parent.iterdir()} == {"place.json", ".place.json.lock"}


# ---- what a position belongs to ----


def test_a_source_is_its_content_and_its_topic(tmp_path: Path) -> None:
    """The same rows under another name are the same source; one changed byte makes another."""
    first = telco_rows(write_csv(tmp_path / "a.csv", 3))
    copy = telco_rows(write_csv(tmp_path / "b.csv", 3))
    changed = telco_rows(write_csv(tmp_path / "c.csv", 3, gender="Male"))

    assert CheckpointKey(first.file.digest(), TOPIC) == CheckpointKey(copy.file.digest(), TOPIC)
    assert CheckpointKey(first.file.digest(), TOPIC).key.startswith(
        f"{first.file.digest()}:{TOPIC}"
    )
    assert first.file.digest() == hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest()
    assert (
        len({CheckpointKey(d.file.digest(), t).key for d in (first, changed) for t in ("t", "u")})
        == 4
    )


# ---- TransactionSink: the position in a topic ----


def test_rows_and_position_are_one_transaction() -> None:
    """Rows and the position behind them become visible together."""
    writer = FakeWriter()
    sink = TransactionSink(KafkaSettings(), FakeAdmin({0: 0}), writer, SOURCE, "places")

    sink.publish(ROWS, 2)

    assert writer.journal == [
        ("begin",),
        ("send", "places", 1),
        ("send", TOPIC, 2),
        ("commit_transaction", {}, None),
    ]
    assert writer.sent["places"] == [{"key": SOURCE.key.encode(), "value": b"2"}]


def test_a_start_fences_the_predecessor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a predecessor has open is ended before its position is read and anything is sent."""
    writer = FakeWriter()
    sink = TransactionSink(KafkaSettings(), FakeAdmin({0: 0}), writer, SOURCE, "places")
    monkeypatch.setattr(sink, "_read", lambda: 5)

    assert sink.start(resume=True) == 5
    assert writer.journal == [("init_transactions",)]


def test_starting_over_takes_the_old_position_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a batch that ends at the old position would seem to be sent before it is."""
    writer = FakeWriter()
    sink = TransactionSink(KafkaSettings(), FakeAdmin({0: 0}), writer, SOURCE, "places")
    monkeypatch.setattr(sink, "_read", lambda: 5)

    assert sink.start(resume=False) == 0
    assert writer.sent["places"] == [{"key": SOURCE.key.encode(), "value": b"0"}]
    assert TOPIC not in writer.sent or writer.sent[TOPIC] == []


class OnceAborted(FakeWriter):
    """Its first transaction fails."""

    def commit(
        self, places: list[TopicPartition] | None = None, group_metadata: object = None
    ) -> None:
        """See `Writer`."""
        super().commit(places, group_metadata)
        if ("abort",) not in self.journal:
            raise AbortableError("timed out")


def test_a_transaction_that_failed_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that was away costs the batch nothing but time."""
    writer = OnceAborted()
    sink = TransactionSink(KafkaSettings(), FakeAdmin({0: 0}), writer, SOURCE, "places")
    monkeypatch.setattr(sink, "_read", lambda: 0)

    sink.publish(ROWS, 2)

    names = [entry[0] for entry in writer.journal]
    once = ["begin", "send", "send", "commit_transaction"]
    assert names == [*once, "abort", *once]


def answer(answers: list[int | Exception]) -> int:
    """Give, or raise, the next of these."""
    given = answers.pop(0)
    if isinstance(given, Exception):
        raise given
    return given


def test_a_broker_that_has_just_come_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first answers after an outage may be errors, which end nothing."""
    sink = TransactionSink(KafkaSettings(), FakeAdmin({0: 0}), OnceAborted(), SOURCE, "places")
    answers: list[int | Exception] = [BrokerError("no leaders found"), 0]

    monkeypatch.setattr(sink, "_read", lambda: answer(answers))

    sink.publish(ROWS, 2)

    assert answers == []


def test_a_start_waits_for_a_broker_that_has_just_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may freeze, or lose its leaders, between two questions of a start."""
    sink = TransactionSink(KafkaSettings(), FakeAdmin({0: 0}), FakeWriter(), SOURCE, "places")
    answers: list[int | Exception] = [BrokerError("no leaders found"), 7]

    monkeypatch.setattr(sink, "_read", lambda: answer(answers))

    assert sink.start(resume=True) == 7


def test_who_slept_while_another_took_over_repeats_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the position has moved beyond this batch, another process has sent these rows."""
    sink = TransactionSink(KafkaSettings(), FakeAdmin({0: 0}), OnceAborted(), SOURCE, "places")
    monkeypatch.setattr(sink, "_read", lambda: 3)

    with pytest.raises(FencedError, match="another process"):
        sink.publish(ROWS, 2)


def test_a_commit_whose_answer_was_lost_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place behind the batch tells that its rows are there."""
    writer = OnceAborted()
    sink = TransactionSink(KafkaSettings(), FakeAdmin({0: 0}), writer, SOURCE, "places")
    monkeypatch.setattr(sink, "_read", lambda: 2)

    sink.publish(ROWS, 2)

    assert writer.journal.count(("begin",)) == 1


# ---- streaming: the rate ----


class FakeTime:
    """A clock that stands still but for sleeping, and for stalls that a test wants.

    Attributes:
        stalls: By number of the sleep, seconds that it takes longer.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.stalls: dict[int, float] = {}

    def monotonic(self) -> float:
        """What time it is."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        assert seconds > 0
        self.now += seconds + self.stalls.get(len(self.slept), 0.0)
        self.slept.append(seconds)


class Burst(NamedTuple):
    """So many events were due so many seconds after the start."""

    at: float
    due: int


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The producer's clock."""
    fake = FakeTime()
    monkeypatch.setattr(producer, "time", fake)
    return fake


def bursts(
    clock: FakeTime, rate: float, duration: float | None, stop: FakeStop | None = None
) -> Iterator[Burst]:
    """When how many events are due."""
    begin = clock.now
    for due in producer._schedule(rate, duration, stop or FakeStop()):
        yield Burst(clock.now - begin, due)


@pytest.mark.parametrize("rate", [0.5, 3, 10, 1_000, 20_000])
def test_the_rate_is_held_over_a_minute(clock: FakeTime, rate: float) -> None:
    """60 seconds hold 60 times the rate, within 2 per cent."""
    sent = sum(burst.due for burst in bursts(clock, rate, 60))

    assert sent == pytest.approx(60 * rate, rel=0.02)


@pytest.mark.parametrize("rate", [10, 1_000, 20_000])
def test_the_rate_is_held_over_a_second(clock: FakeTime, rate: float) -> None:
    """A short run holds its rate, too."""
    sent = sum(burst.due for burst in bursts(clock, rate, 1))

    assert sent == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize("rate", [0.5, 10, 1_000])
def test_no_event_is_early(clock: FakeTime, rate: float) -> None:
    """The nth event is not sent before its time."""
    sent = 0
    for burst in bursts(clock, rate, 10):
        sent += burst.due
        assert (sent - 1) / rate <= burst.at + 1e-9


def test_events_are_spread_evenly(clock: FakeTime) -> None:
    """10 a second is one each tenth of a second, not ten at once."""
    found = list(bursts(clock, 10, 2))

    assert [burst.due for burst in found] == [1] * 20
    assert [burst.at for burst in found] == pytest.approx([n / 10 for n in range(20)], abs=0.011)


def test_high_rates_are_sent_in_bursts(clock: FakeTime) -> None:
    """A hundred sleeps a second are enough for any rate."""
    found = list(bursts(clock, 20_000, 1))

    assert len(found) <= 101
    assert max(burst.due for burst in found) <= 250


def test_a_slow_rate_looks_at_the_stop_flag_often(clock: FakeTime) -> None:
    """Between two events that are seconds apart, a stop is noticed."""
    list(bursts(clock, 0.1, 20))

    assert max(clock.slept) <= 0.2


def test_a_short_stall_is_caught_up(clock: FakeTime) -> None:
    """Events that are late by less than a second are sent at once."""
    clock.stalls = {50: 0.7}

    assert sum(burst.due for burst in bursts(clock, 100, 10)) == pytest.approx(1000, rel=0.02)


def test_a_long_stall_is_let_go_and_said(clock: FakeTime) -> None:
    """After a stall the rate is held again, without a flood of what was missed."""
    clock.stalls = {50: 30.0}

    with capture_logs() as logs:
        found = list(bursts(clock, 100, 60))

    assert max(burst.due for burst in found) <= 100
    assert sum(burst.due for burst in found) == pytest.approx(3000, rel=0.02)
    assert [log["event"] for log in logs] == ["producer_behind"]
    assert logs[0]["skipped"] == pytest.approx(3000, rel=0.02)


def test_a_rate_that_cannot_be_held_is_said(clock: FakeTime) -> None:
    """Where every burst takes too long, events are skipped rather than piled up."""
    clock.stalls = dict.fromkeys(range(1000), 2.0)

    with capture_logs() as logs:
        found = list(bursts(clock, 100, 20))

    assert max(burst.due for burst in found) <= 100
    assert {log["event"] for log in logs} == {"producer_behind"}


def test_a_stop_ends_the_schedule(clock: FakeTime) -> None:
    """Without a duration events are due until a stop is asked for."""
    assert len(list(bursts(clock, 10, None, FakeStop(after=7)))) <= 7


# ---- streaming: the events ----


def stream(dataset: CustomerRows, writer: FakeWriter, **changes: Any) -> int:
    """Send random customers without end, but for what `changes` says."""
    options: dict[str, Any] = {
        "rate": 100.0,
        "seed": 1,
        "max_events": None,
        "duration": None,
        "stop": FakeStop(),
    }
    form = JsonEvents(dataset.schema)
    return produce_streaming(dataset, form, writer, TOPIC, **options | changes)


def test_no_more_events_are_sent_than_were_asked_for(
    dataset: CustomerRows, clock: FakeTime
) -> None:
    """The number is met exactly, also in the midst of a burst."""
    writer = FakeWriter()

    assert stream(dataset, writer, rate=5_000.0, max_events=123) == 123
    assert len(writer.sent[TOPIC]) == 123
    assert writer.journal[-1] == ("flush",)


def test_progress_is_told_at_every_burst(dataset: CustomerRows, clock: FakeTime) -> None:
    """Whoever watches sees the number of events sent so far."""
    told: list[int] = []

    stream(dataset, FakeWriter(), rate=2.0, max_events=3, on_rows=told.append)

    assert told == [0, 1, 2, 3, 3]  # the last time once all are confirmed


def test_events_are_random_customers_of_now(dataset: CustomerRows, clock: FakeTime) -> None:
    """Each event decodes under its key, and has the time of its sending."""
    writer, before = FakeWriter(), datetime.now(UTC)

    stream(dataset, writer, max_events=50)

    events = [decode_event(record["value"], record["key"]) for record in writer.sent[TOPIC]]
    stamps = [event.event_ts for event in events if isinstance(event, CustomerEvent)]
    assert len(stamps) == 50
    assert stamps == sorted(stamps)
    assert before <= stamps[0] <= stamps[-1] <= datetime.now(UTC)


def test_customers_are_drawn_with_replacement(dataset: CustomerRows, clock: FakeTime) -> None:
    """More events than customers can be sent, and every customer has its turn."""
    writer = FakeWriter()

    stream(dataset, writer, max_events=1_000, rate=10_000.0)

    drawn = Counter(record["key"] for record in writer.sent[TOPIC])
    assert len(drawn) == 10
    assert max(drawn.values()) < 2 * min(drawn.values())


def test_a_seed_makes_the_choice_repeatable(
    dataset: CustomerRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same seed draws the same customers in the same order; another one others."""

    def drawn(seed: int | None) -> list[bytes | None]:
        monkeypatch.setattr(producer, "time", FakeTime())
        writer = FakeWriter()
        stream(dataset, writer, seed=seed, max_events=30)
        return [record["key"] for record in writer.sent[TOPIC]]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    random.seed(1)
    first = drawn(None)
    random.seed(1)
    assert drawn(None) != first


def test_a_file_without_rows_has_no_customers_to_draw(tmp_path: Path, clock: FakeTime) -> None:
    """A header alone cannot be streamed, and the fault names the file."""
    empty = telco_rows(write_csv(tmp_path / "empty.csv", 0))

    with pytest.raises(DataError, match=r"empty\.csv"):
        stream(empty, FakeWriter(), max_events=1)


def test_labels_travel_along(tmp_path: Path, clock: FakeTime) -> None:
    """The time stands before the label in an event, and both arrive."""
    labelled = telco_rows(write_csv(tmp_path / "labelled.csv", 3, Churn="Yes"))
    writer = FakeWriter()

    stream(labelled, writer, max_events=5)

    values = [json.loads(record["value"] or b"") for record in writer.sent[TOPIC]]
    assert {value["Churn"] for value in values} == {"Yes"}
    assert all(value["event_ts"].endswith("Z") for value in values)

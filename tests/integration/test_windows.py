"""Bounded runs: which part of the topic each scores, and that nothing falls between two of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer

from builders import customer, event_json
from churnstream.connection_settings import KafkaSettings
from churnstream.errors import AbortableError
from churnstream.kafka.admin import Admin
from churnstream.pipeline.offset_ranges import resolve
from integration.flow import PARTITIONS, Flow, Sent, position_of

KEY = customer()["customerID"].encode()
START = datetime(2026, 1, 2, tzinfo=UTC)


def events(count: int) -> list[Sent]:
    """Valid events, dealt out to the partitions in turn."""
    return [Sent(event_json(), KEY, number % len(PARTITIONS)) for number in range(count)]


def offsets(*ends: int) -> str:
    """Offsets by partition, as `--from` and `--to` take them."""
    return ",".join(f"{p}:{offset}" for p, offset in zip(PARTITIONS, ends, strict=True))


def test_max_messages(flow: Flow) -> None:
    """Three windows of 1,000 over 3,000 events score all of them, and none twice."""
    positions = flow.send(events(3000))
    for _ in range(3):
        assert flow.consume("--max-messages", 1000).messages_read == 1000
    outcomes = flow.outcomes()
    assert set(outcomes) == set(positions)
    assert outcomes.total() == 3000
    assert flow.consume("--max-messages", 1000).messages_read == 0


def test_max_messages_counts_dead_letters(flow: Flow) -> None:
    """A window of N records reads N, good and bad ones together, and is cut within a batch."""
    flow.send([Sent(b"broken"), *events(3)] * 25)
    summary = flow.consume("--max-messages", 50, "--batch-size", 30)
    assert summary.messages_read == summary.scored + summary.dead_lettered == 50
    assert flow.outcomes().total() == 50


def test_offsets(flow: Flow) -> None:
    """Windows by offsets end before `--to`, and do not score again what is scored already."""
    flow.send(events(90))
    assert flow.consume("--to", offsets(10, 20, 0)).messages_read == 30
    scored = {(0, offset) for offset in range(10)} | {(1, offset) for offset in range(20)}
    assert set(flow.outcomes()) == scored

    rejected = flow.run("consume --mode batch", "--from", offsets(15, 0, 0))
    assert rejected.code == 2
    assert "would skip offsets 10 to 14 of partition 0" in rejected.error
    assert set(flow.outcomes()) == scored

    assert flow.consume("--from", offsets(0, 0, 0), "--to", offsets(99, 25, 9)).messages_read == 34
    outcomes = flow.outcomes()
    assert outcomes.total() == len(outcomes) == 64


def test_timestamps(flow: Flow) -> None:
    """Windows by time take the records from `--from` until before `--to`, by their timestamps."""
    moments = [START + timedelta(seconds=second) for second in range(30)]
    records = [
        event._replace(timestamp=int(moment.timestamp() * 1000))
        for moment in moments
        for event in events(3)
    ]
    positions = flow.send(records)
    window = ("--from", "2026-01-02T00:00:10Z", "--to", "2026-01-02T01:00:20+01:00")
    assert flow.consume(*window).messages_read == 30
    assert set(flow.outcomes()) == set(positions[30:60])


def test_last_timestamp(flow: Flow) -> None:
    """A time after the last record stands for the end of the topic."""
    flow.send(events(6))
    admin, topic = Admin(flow.settings.kafka), flow.settings.topics.input
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert resolve(admin, topic, tomorrow, "--to") == dict.fromkeys(PARTITIONS, 2)


@pytest.mark.parametrize(
    ("flag", "position", "says"),
    [
        ("--from", "yesterday", "--from: 'yesterday' is neither a timestamp such as"),
        ("--to", "0:x", "--to: '0:x' is neither a timestamp such as"),
        ("--to", "7:1", "has no partition 7"),
        ("--from", "0:99999999999999999999", "is neither a timestamp such as"),
        ("--from", "1969-12-31", "--from: 1969-12-31 lies before 1970"),
        ("--to", "0001-01-01T00:00:00+23:00", "lies before 1970"),
    ],
)
def test_wrong_window(flow: Flow, flag: str, position: str, says: str) -> None:
    """A window that cannot be read is wrong use, and the message says how to write one."""
    for command in ("consume --mode batch", "audit"):
        ran = flow.run(command, flag, position)
        assert ran.code == 2
        assert says in ran.error


@contextmanager
def producing(settings: KafkaSettings, topic: str) -> Iterator[None]:
    """A producer that sends some hundred events a second, until the block ends."""
    enough = threading.Event()

    def work() -> None:
        producer = Producer({"bootstrap.servers": settings.brokers})
        while not enough.wait(0.01):
            for partition in PARTITIONS:
                producer.produce(topic, event_json(), KEY, partition)
            producer.poll(0)
        producer.flush(30)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def test_producer_goes_on(flow: Flow) -> None:
    """A run ends where the topic ended when it began, and the next one begins there."""
    positions = flow.send(events(300))
    with producing(flow.settings.kafka, flow.settings.topics.input):
        assert flow.consume().messages_read >= 300
    first = flow.outcomes()
    assert set(positions) <= set(first)
    everything = set(map(position_of, flow.events()))
    assert len(first) < len(everything)
    flow.consume()
    outcomes = flow.outcomes()
    assert set(outcomes) == everything
    assert outcomes.total() == len(everything)


def test_rolled_back_batch(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is rolled back is read again within the same window."""
    from churnstream.pipeline.delivery import AtLeastOnce

    publish = AtLeastOnce.publish
    rejections = iter(("a rebalance", "another one"))

    def flaky(self: AtLeastOnce, *outcomes: object) -> None:
        if outcomes[0] and (because := next(rejections, None)):
            raise AbortableError(because)
        publish(self, *outcomes)  # type: ignore[arg-type]

    monkeypatch.setattr(AtLeastOnce, "publish", flaky)
    positions = flow.send(events(60))
    assert flow.consume("--max-messages", 60).messages_read == 60
    outcomes = flow.outcomes()
    assert set(outcomes) == set(positions)
    assert outcomes.total() == 60

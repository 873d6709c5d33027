"""The audit itself: what is put into the topics is what it finds."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from chaos.flow import SESSION, Flow
from chaos.records import good_records
from chaos.watch import Position, until
from confluent_kafka import Consumer, Producer, TopicPartition
from msgspec.json import encode

from builders import Prediction
from churnstream.pipeline.dead_letter_headers import failure_headers
from churnstream.records.dead_letter import DeadLetter

pytest_plugins = ["chaos.fixtures"]

EVENTS = 30
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def send(flow: Flow, topic: str, *records: tuple[bytes, bytes], partition: int) -> None:
    """Write records to one partition."""
    producer = Producer({"bootstrap.servers": flow.servers})
    for key, value in records:
        producer.produce(topic, value, key, partition=partition)
    assert producer.flush(30) == 0


def prediction(position: Position) -> tuple[bytes, bytes]:
    """A prediction as the consumer would write it for the event at a position."""
    says = Prediction("0001-GOOD", 0.5, "Yes", NOW, NOW, "v1", position.partition, position.offset)
    return b"0001-GOOD", encode(says)


def reject(flow: Flow, position: Position) -> None:
    """Write a dead letter as the consumer would for the event at a position."""
    letter = DeadLetter(
        topic=flow.input,
        partition=position.partition,
        offset=position.offset,
        stage="VALUE_CONVERTER",
        class_name="churnstream",
        exception_class_name="churnstream.not_json",
        message="value: is not JSON",
        reason="not_json",
        attempt=1,
        group=flow.group,
        model_version="v1",
        failed_at=NOW,
    )
    producer = Producer({"bootstrap.servers": flow.servers})
    headers = list(failure_headers(letter))
    producer.produce(flow.dead_letters, b"x", headers=headers)  # type: ignore[arg-type]
    assert producer.flush(30) == 0


def pass_over(flow: Flow, *positions: Position) -> None:
    """Move the group behind events that it has not scored."""
    client = Consumer({"bootstrap.servers": flow.servers, "group.id": flow.group})
    after = [
        TopicPartition(flow.input, position.partition, position.offset + 1)
        for position in positions
    ]
    client.commit(offsets=after, asynchronous=False)
    client.close()


@pytest.fixture
def scored(flow: Flow) -> Flow:
    """A flow of which ten events in each partition have their prediction."""
    for partition in range(3):
        send(flow, flow.input, *good_records(EVENTS // 3), partition=partition)
        positions = [Position(partition, offset) for offset in range(EVENTS // 3)]
        send(flow, flow.output, *map(prediction, positions), partition=partition)
    pass_over(flow, *(Position(partition, EVENTS // 3 - 1) for partition in range(3)))
    return flow


def test_clean(flow: Flow) -> None:
    """When every event has its outcome, it says so in a table and in JSON, and exits with 0."""
    send(flow, flow.input, *good_records(EVENTS), partition=1)
    flow.run_batch()
    verdict = flow.audit()
    assert verdict.complete
    assert (verdict.events, verdict.in_flight, verdict.foreign) == (EVENTS, 0, 0)
    assert f"each of {EVENTS} events has exactly one outcome" in flow.run("audit").output


def test_lost(scored: Flow) -> None:
    """An event that the group has passed over without an outcome is lost."""
    send(scored, scored.input, *good_records(1), partition=1)
    pass_over(scored, Position(1, EVENTS // 3))
    said = scored.run("audit", "--in-flight-ok", code=1).output
    assert "lost in partition 1: [10]" in said
    assert "1 lost, 0 duplicated, 0 orphaned" in said


def test_an_outcome_that_shows_late_is_not_lost(scored: Flow) -> None:
    """The group's offset may be seen before the outcomes of the same commit are."""
    send(scored, scored.input, *good_records(1), partition=1)
    writer = Producer({"bootstrap.servers": scored.servers, "transactional.id": scored.group})
    writer.init_transactions(30)
    writer.begin_transaction()
    key, value = prediction(Position(1, EVENTS // 3))
    writer.produce(scored.output, value, key, partition=1)
    assert writer.flush(30) == 0
    pass_over(scored, Position(1, EVENTS // 3))
    audit = scored.start("audit")
    time.sleep(4)
    assert audit.code is None
    writer.commit_transaction(30)
    assert audit.wait(30) == 0
    assert f"each of {EVENTS + 1} events has exactly one outcome" in audit.output


def test_duplicated(scored: Flow) -> None:
    """A second prediction, or a dead letter beside a prediction, is a duplicate."""
    send(scored, scored.output, prediction(Position(0, 3)), partition=0)
    reject(scored, Position(2, 4))
    said = scored.run("audit", code=1).output
    assert "0 lost, 2 duplicated, 0 orphaned" in said
    assert "duplicated in partition 0: [3]" in said
    assert "duplicated in partition 2: [4]" in said


@pytest.mark.parametrize(
    "position", [Position(0, EVENTS), Position(7, 0)], ids=["behind-the-end", "no-such-partition"]
)
def test_orphaned(scored: Flow, position: Position) -> None:
    """A prediction of an event that does not exist is an orphan."""
    send(scored, scored.output, prediction(position), partition=0)
    assert "0 lost, 0 duplicated, 1 orphaned" in scored.run("audit", code=1).output


def test_orphan_at_a_transaction_marker(flow: Flow) -> None:
    """A prediction that names the position of a transaction marker is an orphan too."""
    producer = Producer({"bootstrap.servers": flow.servers, "transactional.id": flow.group})
    producer.init_transactions(30)
    producer.begin_transaction()
    ((key, value),) = good_records(1)
    producer.produce(flow.input, value, key, partition=0)
    producer.commit_transaction(30)
    send(flow, flow.output, prediction(Position(0, 0)), partition=0)
    pass_over(flow, Position(0, 1))
    assert flow.audit().complete
    send(flow, flow.output, prediction(Position(0, 1)), partition=0)
    assert "orphaned in partition 0: [1]" in flow.run("audit", code=1).output


def test_uncommitted(scored: Flow) -> None:
    """What a transaction has written counts only once it is committed."""
    producer = Producer({"bootstrap.servers": scored.servers, "transactional.id": scored.group})
    producer.init_transactions(30)
    key, value = prediction(Position(0, 0))
    for counts, end in ((0, producer.abort_transaction), (1, producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(scored.output, value, key)
        producer.flush(30)
        assert scored.audit().complete
        end(30)
        assert scored.audit().duplicated == counts


def test_foreign_records(scored: Flow) -> None:
    """Records of others among the outcomes are counted, and are nobody's outcome."""
    send(scored, scored.output, (b"a", b"hello"), (b"b", b"{}"), partition=0)
    send(scored, scored.dead_letters, (b"c", b"\xff"), partition=0)
    verdict = scored.audit()
    assert verdict.complete
    assert verdict.foreign == 3


def test_in_flight(scored: Flow) -> None:
    """Events behind the group's offset are in flight: no proof yet, but no loss either."""
    send(scored, scored.input, *good_records(7), partition=2)
    assert "7 still in flight" in scored.run("audit", code=1).output
    assert "7 still in flight" in scored.run("audit", "--in-flight-ok").output


def test_window(scored: Flow) -> None:
    """With a window only the events inside it count."""
    send(scored, scored.output, prediction(Position(0, 3)), partition=0)
    assert scored.audit("--from", "0:4").exactly_once
    inside = scored.audit("--from", "0:3", "--to", "0:4,1:0,2:0")
    assert (inside.events, inside.duplicated, inside.orphaned) == (1, 1, 0)


def test_while_the_pipeline_works(flow: Flow) -> None:
    """While events come and are scored it finds nothing wrong, only some of them in flight."""
    consumer = flow.consume(0, *SESSION, "--batch-size", "200")
    producer = flow.produce(1000)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    verdicts = [flow.audit() for _ in range(3)]
    assert [(v.lost, v.duplicated, v.orphaned) for v in verdicts] == [(0, 0, 0)] * 3
    assert [v.events for v in verdicts] == sorted({v.events for v in verdicts})
    producer.stop()
    until(lambda: flow.is_scored, 60, "every event is scored")
    consumer.stop()
    assert flow.audit().complete

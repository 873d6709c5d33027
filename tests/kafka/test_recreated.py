"""A topic that is deleted and created again, and offsets that lie where nothing is."""

from __future__ import annotations

import json
import time

import pytest
from chaos.flow import SESSION, Flow
from chaos.records import good_records
from chaos.watch import until
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

pytest_plugins = ["chaos.fixtures"]


def send(flow: Flow, *counts: int) -> None:
    """Write so many good events to each of the partitions."""
    producer = Producer({"bootstrap.servers": flow.servers, "log_level": 0})
    events = iter(good_records(sum(counts)))
    for partition, count in enumerate(counts):
        for key, value in (next(events) for _ in range(count)):
            producer.produce(flow.input, value, key, partition=partition)
    assert producer.flush(60) == 0


def recreate(flow: Flow, topic: str, partitions: int = 3) -> None:
    """Delete a topic and create it again at once."""
    admin = flow.watch.admin
    admin.delete_topics([topic])[topic].result(30)

    def created() -> bool:
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
        return True

    until(created, 30, f"{topic} is created again")


def move(flow: Flow, **positions: int) -> None:
    """Store offsets for the group, by partition (p0, p1, …), as any tool can."""
    client = Consumer({"bootstrap.servers": flow.servers, "group.id": flow.group, "log_level": 0})
    where = [TopicPartition(flow.input, int(p[1:]), offset) for p, offset in positions.items()]
    client.commit(offsets=where, asynchronous=False)
    client.close()


def recreated_late(flow: Flow) -> None:
    """Score forty events in each partition, create the topic again, and then commit for the old."""
    send(flow, 40, 40, 40)
    flow.run_batch()
    client = Consumer({"bootstrap.servers": flow.servers, "group.id": flow.group, "log_level": 0})
    before = client.committed([TopicPartition(flow.input, p) for p in range(3)], timeout=10)
    recreate(flow, flow.input)
    client.commit(offsets=before, asynchronous=False)
    client.close()


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_topic_recreated_under_a_running_consumer(flow: Flow, delivery: str) -> None:
    """Every event of the new topic is scored, and the audit keeps the outcomes of the two apart."""
    consumer = flow.consume(0, *SESSION, "--delivery", delivery)
    send(flow, 30, 30, 30)
    until(lambda: flow.is_scored, 60, "the old topic is scored")

    recreate(flow, flow.input)
    time.sleep(1.5)
    send(flow, 60, 50, 0)

    until(lambda: flow.audit().complete and flow.audit().events == 110, 60, "the new one is scored")
    consumer.stop()
    assert consumer.code == 0, consumer.last_words
    assert "topic_recreated" in consumer.log
    assert "outcomes of an earlier input topic of that name are left out" in (
        flow.run("audit").output
    )
    flow.run("report", "--summary", str(summary := flow.folder / "summary.json"))
    assert json.loads(summary.read_text())["scored"] == 110


def test_topic_recreated_while_events_flow(flow: Flow) -> None:
    """Also where a producer goes on without a pause, each event of the new topic has an outcome."""
    consumer = flow.consume(0, *SESSION)
    producer = flow.produce(300)
    until(lambda: flow.watch.length(flow.output) > 300, 60, "something is scored")
    recreate(flow, flow.input)
    time.sleep(8)
    producer.stop()
    until(lambda: flow.audit().in_flight == 0, 60, "all is scored")
    consumer.stop()

    verdict = flow.audit()
    assert verdict.complete, verdict
    assert verdict.events > 300


def test_predictions_topic_recreated_under_a_running_consumer(flow: Flow) -> None:
    """The broker knows nothing of what went before; the consumer goes on, in the new topic."""
    consumer = flow.consume(0, *SESSION, "--batch-size", "5")
    producer = flow.produce(300)
    for _ in range(3):
        until(lambda: flow.watch.length(flow.output) > 50, 60, "something is scored")
        recreate(flow, flow.output)
    until(lambda: flow.watch.length(flow.output) > 50, 60, "the new topic is written")
    producer.stop()
    until(lambda: flow.audit().in_flight == 0, 60, "all is scored")
    consumer.stop()

    assert consumer.code == 0, consumer.last_words


def test_topic_recreated_while_nobody_looks(flow: Flow) -> None:
    """A consumer that starts later begins with the new topic, as if there had been no other."""
    send(flow, 40, 0, 0)
    flow.run_batch()
    recreate(flow, flow.input)
    send(flow, 10, 20, 0)

    flow.run_batch()

    verdict = flow.audit()
    assert (verdict.complete, verdict.events) == (True, 30)


def test_offsets_of_an_old_topic_do_not_count(flow: Flow) -> None:
    """An offset that was committed too late says of which topic it is, and is passed over."""
    recreated_late(flow)
    send(flow, 60, 20, 0)

    assert json.loads(flow.run("health", "--max-lag", "0", code=1).output)["lag"] == 80
    consumer = flow.consume(0, *SESSION)
    until(lambda: flow.audit().complete, 60, "all is scored")
    consumer.stop()

    assert flow.audit().events == 80


def test_a_batch_run_over_a_topic_that_is_shorter_now(flow: Flow) -> None:
    """Every event is scored, although the group has come further in the earlier topic."""
    recreated_late(flow)
    assert flow.audit().orphaned == 0, "all outcomes are of the earlier topic yet"
    send(flow, 10, 20, 5)

    flow.run_batch()

    verdict = flow.audit()
    assert (verdict.complete, verdict.events) == (True, 35)


def test_an_offset_beyond_the_end_is_said(flow: Flow) -> None:
    """Health, describe, consume and audit name it, and the events are scored all the same."""
    send(flow, 40, 45, 5)
    move(flow, p0=80, p1=5, p2=5)

    health = flow.run("health", "--max-age", "1000", code=1)
    assert json.loads(health.output)["lag"] == 80
    assert "partition 0" in health.last_words
    assert "40 beyond its end" in health.last_words
    assert "40 beyond its end" in flow.run("topics", "describe").log
    audit = flow.run("audit", code=1)
    assert "the group's offset in partition 0 lies beyond its end" in audit.output
    batch = flow.run_batch()

    assert "offset_missing" in batch.log
    verdict = flow.audit()
    assert (verdict.lost, verdict.in_flight) == (10, 0)  # what the move to 5 has left out


def test_a_running_consumer_whose_topic_is_truncated_starts_over(flow: Flow) -> None:
    """In streaming mode an offset beyond the end is said and answered in the same way."""
    send(flow, 40, 0, 0)
    move(flow, p0=80)
    consumer = flow.consume(0, *SESSION)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    until(lambda: flow.audit().complete, 60, "all is scored")
    consumer.stop()

    assert "offset_missing" in consumer.log
    assert flow.run("health").code == 0


def test_a_batch_run_whose_topic_is_recreated_ends(flow: Flow) -> None:
    """What it was to read is gone: one line says so, and nothing waits for ever."""
    producer = flow.produce(2000, "--max-events", "20000")
    assert producer.wait(60) == 0
    consumer = flow.start(
        "consume", "--mode", "batch", "--model", str(flow.model), "--batch-size", "20"
    )
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    recreate(flow, flow.input)
    send(flow, 5, 5, 5)

    assert consumer.wait(60) == 1
    assert "created again" in consumer.last_words or "no topic" in consumer.last_words


def test_a_batch_producer_whose_topic_is_recreated_ends(flow: Flow) -> None:
    """The rows before are gone, so it does not say that all were sent; the next run sends them."""
    producer = flow.start("produce", "--mode", "batch", "--batch-size", "5")
    until(lambda: flow.watch.length(flow.input) > 100, 60, "some rows are sent")
    recreate(flow, flow.input)

    assert producer.wait(60) == 1
    assert "created again" in producer.last_words or "no topic" in producer.last_words
    again = flow.run("produce", "--mode", "batch")
    assert "7,043 rows" in again.output


def test_dead_letters_of_a_recreated_topic_are_sent_back(flow: Flow) -> None:
    """What was replayed of an earlier dead-letter topic says nothing of those in the new one."""
    producer = Producer({"bootstrap.servers": flow.servers, "log_level": 0})
    for replayed in ("2 dead letters sent back", "1 dead letters sent back"):
        for key in (b"a", b"b")[: int(replayed[0])]:
            producer.produce(flow.input, b"no JSON", key, partition=0)
        assert producer.flush(60) == 0
        flow.run_batch()
        assert replayed in flow.run("dead-letters", "replay").output
        assert "0 dead letters sent back" in flow.run("dead-letters", "replay").output
        recreate(flow, flow.dead_letters, 1)
        flow.run_batch()
        recreate(flow, flow.dead_letters, 1)

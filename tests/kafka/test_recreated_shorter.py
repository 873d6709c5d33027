"""A topic that is created again and is shorter now than what was committed of the earlier one."""

from __future__ import annotations

import pytest
from chaos.flow import Flow
from chaos.records import good_records
from chaos.watch import until
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

pytest_plugins = ["chaos.fixtures"]

PARTITIONS = range(3)


def send(flow: Flow, *counts: int) -> None:
    """Write so many good events to each of the partitions."""
    producer = Producer({"bootstrap.servers": flow.servers, "log_level": 0})
    events = iter(good_records(sum(counts)))
    for partition, count in enumerate(counts):
        for key, value in (next(events) for _ in range(count)):
            producer.produce(flow.input, value, key, partition=partition)
    assert producer.flush(60) == 0


@pytest.fixture
def shorter(flow: Flow) -> Flow:
    """Forty events in each partition are scored, then the topic is created again."""
    send(flow, 40, 40, 40)
    flow.run_batch()
    client = Consumer({"bootstrap.servers": flow.servers, "group.id": flow.group, "log_level": 0})
    before = client.committed([TopicPartition(flow.input, p) for p in PARTITIONS], timeout=10)
    admin = flow.watch.admin
    admin.delete_topics([flow.input])[flow.input].result(30)

    def created() -> bool:
        admin.create_topics([NewTopic(flow.input, 3, 1)])[flow.input].result(30)
        return True

    until(created, 30, "the topic is created again")
    client.commit(offsets=before, asynchronous=False)  # as a commit does that comes late
    client.close()
    return flow


def test_a_batch_run_scores_the_new_topic(shorter: Flow) -> None:
    """Every event is scored, although the group has come further in the earlier topic."""
    send(shorter, 10, 20, 5)
    ran = shorter.run_batch()
    assert "Nothing was scored" not in ran.output


def test_nothing_is_said_of_a_new_topic_yet(shorter: Flow) -> None:
    """Before a consumer has come, all outcomes are of the earlier topic, and none is an orphan."""
    assert shorter.audit().orphaned == 0

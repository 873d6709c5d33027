"""A member of a group whose client has dropped its only broker, and never looks for it again.

That happens after a freeze, with luck; here it is made to happen. While records wait in a client,
it cannot be cured: the consumer waits for the broker elsewhere, and reads nothing meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from chaos.watch import Watch, until
from cluster import Cluster
from confluent_kafka import Producer
from confluent_kafka.cimpl import NewTopic

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import AbortableError
from churnstream.kafka.polled_records import PolledRecords
from churnstream.kafka.reader import Reader
from fakes import reader_of
from forgetful import ForgetfulBroker

_RECORDS = 3000  # in each of two partitions
_WITHIN = 20.0  # seconds: notices after 5, asks for 2, and the group misses the old client after 6


@pytest.fixture
def forgetful(kafka_cluster: Cluster) -> Iterator[ForgetfulBroker]:
    """A way to the broker that can deny it."""
    host, port = kafka_cluster.bootstrap_servers.split(":")
    with ForgetfulBroker(host, int(port)) as broker:
        yield broker


@pytest.fixture
def reader(
    kafka_cluster: Cluster, forgetful: ForgetfulBroker, topic_prefix: str
) -> Iterator[Reader]:
    """One that has read and committed a part of a topic, and has not read on since."""
    _fill(kafka_cluster, topic_prefix)
    client: dict[str, str | int | float | bool] = {
        "session.timeout.ms": 6000,
        "topic.metadata.refresh.interval.ms": 200,
    }
    settings = KafkaSettings(brokers=forgetful.address, client=client)
    reader = reader_of(settings, topic_prefix, topic_prefix)
    polled = _read_on(reader)
    reader.commit(polled.next_offsets)
    yield reader
    reader.close()


def _fill(cluster: Cluster, topic: str) -> None:
    admin = Watch(cluster.bootstrap_servers).admin
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers})
    for partition in (0, 1):
        for number in range(_RECORDS):
            producer.produce(topic, str(number), partition=partition)
    producer.flush()


def _read_on(reader: Reader) -> PolledRecords:
    """The next records, as soon as there are any."""
    deadline = time.monotonic() + _WITHIN
    while not (polled := reader.poll(10, 0.5)).records:
        assert time.monotonic() < deadline, "nothing was read"
    return polled


def _lose(broker: ForgetfulBroker) -> None:
    """Deny the broker until the client has dropped it; no client comes back by itself then."""
    broker.denying.set()
    until(lambda: broker.connections == 0, 10, "the client has dropped its broker")
    broker.denying.clear()
    time.sleep(2)
    assert broker.connections == 0, "a client that finds back needs no replacement any more"


def test_going_back_joins_anew(reader: Reader, forgetful: ForgetfulBroker) -> None:
    """Nothing can be asked through the old client; the new one begins at the group's offset."""
    partition, position = next(iter(reader.group_offsets().items()))
    _lose(forgetful)

    assert reader.rewind() == {}
    assert reader.membership.assigned == set()
    polled = _read_on(reader)
    while partition not in polled.partitions:
        polled = _read_on(reader)

    assert polled.offsets[polled.partitions.index(partition)] == position


def test_a_commit_ends(reader: Reader, forgetful: ForgetfulBroker) -> None:
    """It is told as a failure, after which the batch is read again, through a new client."""
    _lose(forgetful)

    with pytest.raises(AbortableError):
        reader.commit(dict.fromkeys(reader.membership.assigned, 2000))
    assert reader.rewind() == {}
    polled = _read_on(reader)

    assert max(polled.offsets) < 2000

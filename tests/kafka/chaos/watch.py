"""What Kafka itself says, asked without any code of the product."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from confluent_kafka import (
    Consumer,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, TopicMetadata  # type: ignore[attr-defined]

_TIMEOUT = 30
_TRANSACTIONS = "__transaction_state"


class Position(NamedTuple):
    """Where a record stands in its topic."""

    partition: int
    offset: int


class Event(NamedTuple):
    """A record of the input topic; its timestamp is in milliseconds since 1970."""

    position: Position
    timestamp: int
    key: bytes | None


class Answer(NamedTuple):
    """A prediction: the position of its event, and its own timestamp."""

    position: Position
    timestamp: int


class Watch:
    """Questions to a cluster.

    Args:
        servers: What clients connect to.
    """

    def __init__(self, servers: str) -> None:
        self._servers = servers

    @property
    def admin(self) -> AdminClient:
        """For what only it can do; keep it in a variable until it has answered.

        One that sees brokers die may crash, and all tests with it: others ask as a consumer does.
        """
        return AdminClient({"bootstrap.servers": self._servers, "log_level": 0})

    @contextmanager
    def _client(self, group: str = "chaos-watch") -> Iterator[Consumer]:
        """A client of its own for each question; never joins the group."""
        config = {
            "bootstrap.servers": self._servers,
            "log_level": 0,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
        client = Consumer(config)
        try:
            yield client
        finally:
            client.close()

    def _topics(self, topic: str | None = None) -> dict[str, TopicMetadata]:
        with self._client() as client:
            found: dict[str, TopicMetadata] = client.list_topics(topic, timeout=_TIMEOUT).topics
            return found

    def partitions(self, topic: str) -> list[int]:
        """The topic's partitions."""
        return sorted(self._topics(topic)[topic].partitions)

    def ends(self, topic: str) -> dict[int, int]:
        """The end of each partition for readers of what is committed."""
        partitions = self.partitions(topic)
        with self._client() as client:
            return {
                p: client.get_watermark_offsets(TopicPartition(topic, p), timeout=_TIMEOUT)[1]
                for p in partitions
            }

    def length(self, topic: str) -> int:
        """How many offsets all partitions have, transaction markers included."""
        return sum(self.ends(topic).values())

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The group's offset in each partition, 0 where it has none."""
        positions = [TopicPartition(topic, p) for p in self.partitions(topic)]
        with self._client(group) as client:
            found = client.committed(positions, timeout=_TIMEOUT)
        return {position.partition: max(position.offset, 0) for position in found}

    def lag(self, group: str, topic: str) -> int:
        """How many offsets the group has still to read, transaction markers included."""
        positions = self.committed(group, topic)
        return sum(max(end - positions.get(p, 0), 0) for p, end in self.ends(topic).items())

    def owners(self, group: str) -> list[int]:
        """How many partitions each member of the group has."""
        admin = self.admin
        answers = admin.describe_consumer_groups([group], request_timeout=_TIMEOUT)
        members = answers[group].result().members
        return sorted(len(member.assignment.topic_partitions) for member in members)

    def read(self, topic: str) -> Iterator[Message]:
        """Every committed record that the topic has now."""
        waiting = set(self.partitions(topic))
        with self._client() as reader:
            reader.assign([TopicPartition(topic, p, 0) for p in waiting])
            while waiting:
                for message in reader.consume(10_000, timeout=1):
                    error = message.error()
                    if error is None:
                        yield message
                    elif error.code() == error._PARTITION_EOF:
                        waiting.discard(message.partition() or 0)
                    else:
                        raise KafkaException(error)

    def leader(self, topic: str, partition: int) -> int:
        """The broker that leads a partition."""
        leader: int = self._topics(topic)[topic].partitions[partition].leader
        return leader

    def coordinator(self, transactional_id: str) -> int:
        """The broker that coordinates the transactions of an identity."""
        count = len(self.partitions(_TRANSACTIONS))
        return self.leader(_TRANSACTIONS, abs(_java_hash(transactional_id)) % count)

    def is_whole(self) -> bool:
        """Whether every replica of every partition is in sync."""
        partitions = [p for topic in self._topics().values() for p in topic.partitions.values()]
        return all(p.leader >= 0 and set(p.isrs) == set(p.replicas) for p in partitions)


def until(met: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something to come true; brokers that cannot answer now are asked again.

    Raises:
        TimeoutError: It did not.
    """
    deadline = time.monotonic() + seconds
    while not _is(met):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s still not: {what}")
        time.sleep(0.2)


def _is(met: Callable[[], bool]) -> bool:
    try:
        return met()
    except KafkaException:
        return False


def _java_hash(text: str) -> int:
    """The hash of a string as Java has it, by which Kafka picks the coordinator."""
    value = 0
    for char in text:
        value = (31 * value + ord(char)) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value

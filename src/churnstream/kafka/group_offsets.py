"""The offsets that a group has committed in a topic, each with the ID of that topic."""

from collections.abc import Collection, Mapping
from typing import Protocol

from confluent_kafka import Consumer

from churnstream.kafka.client import TopicPartition, is_of_another, offset_to_commit, translated

_SLICE = 2.0  # seconds that a blocking call may keep signals waiting


class Identity(Protocol):
    """Tells which topic of its name it is; see `TopicIdentity`."""

    topic_id: str


class GroupOffsets:
    """Asks for committed offsets, and writes those that are to be committed.

    Args:
        identity: Offsets that were committed with another ID do not count.
    """

    def __init__(self, topic: str, identity: Identity) -> None:
        self._topic, self._identity = topic, identity

    @property
    def topic_id(self) -> str:
        """Of the topic that is read."""
        return self._identity.topic_id

    def to_commit(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        """Offsets by partition in the client library's form."""
        return [offset_to_commit(self._topic, p, o, self.topic_id) for p, o in offsets.items()]

    def committed(self, client: Consumer, partitions: Collection[int]) -> list[TopicPartition]:
        """What the group has committed in some partitions.

        Raises:
            KafkaException: The broker rejected it, or did not answer in time.
        """
        asked = [TopicPartition(self._topic, p) for p in sorted(partitions)]
        return client.committed(asked, timeout=_SLICE)

    def everywhere(self, client: Consumer) -> dict[int, int]:
        """The committed offset of every partition that has one.

        Raises:
            BrokerError: The broker rejected it, or did not answer in time.
        """
        with translated("reading the group's offsets"):
            topic = client.list_topics(self._topic, timeout=_SLICE).topics[self._topic]
            found = self.committed(client, topic.partitions)
        return {
            position.partition: position.offset
            for position in found
            if position.offset >= 0 and not is_of_another(position, self.topic_id)
        }

"""Where a consumer of a group begins to read a partition."""

from collections.abc import Collection, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING

from churnstream.kafka.client import KafkaError, KafkaException, TopicPartition, is_of_another

log = structlog.get_logger(__name__)


class StartingOffsets:
    """Decides it by what the group has committed, and by what was asked for.

    Args:
        starts: By partition, where to begin if the group has no offset yet; without it, at the
            earliest offset of the topic.
        unread: Partitions that are read from their earliest offset when they are first assigned,
            whatever offset the group has committed: it is of an earlier topic.
    """

    def __init__(self, starts: Mapping[int, int], unread: Collection[int]) -> None:
        self._starts, self._unread = dict(starts), set(unread)
        self._started: set[int] = set()  # partitions that have been read from their start

    def on_assign(self, partitions: Collection[TopicPartition]) -> None:
        """Set the offset of partitions that are given to us, where it is not the committed one."""
        for position in partitions:
            if position.partition in self._unread:
                position.offset = OFFSET_BEGINNING
            self._started.discard(position.partition)
        self._unread.difference_update(position.partition for position in partitions)

    def without_offset(self, partition: int, error: KafkaError) -> int:
        """There is no committed offset yet, or it is one that retention has removed."""
        start = self._starts.get(partition, OFFSET_BEGINNING)
        offset = OFFSET_BEGINNING if partition in self._started else start
        self._started.add(partition)
        reads_from = "the beginning" if offset == OFFSET_BEGINNING else offset
        # Having none is normal at first; one that retention has passed means that events are gone.
        say = log.debug if "No offset stored" in error.str() else log.warning
        say("offset_missing", partition=partition, reads_from=reads_from, because=error.str())
        return offset

    def after(self, committed: TopicPartition, topic_id: str) -> int:
        """Where to read on, given what the group has committed."""
        if committed.error:
            raise KafkaException(committed.error)
        if is_of_another(committed, topic_id):
            return OFFSET_BEGINNING
        if committed.offset < 0:
            return self._starts.get(committed.partition, OFFSET_BEGINNING)
        return committed.offset

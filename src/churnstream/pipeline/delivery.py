"""Publishing the outcome of a batch: once exactly, or once at least."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from churnstream.kafka.group_offsets import GroupOffsets
from churnstream.kafka.reader import Reader
from churnstream.kafka.writer import FullRecord, Record, Writer
from churnstream.settings import TopicSettings


class Delivery(Protocol):
    """How predictions, dead letters and the group's offsets reach the broker."""

    def publish(
        self,
        predictions: Sequence[Record],
        dead_letters: Sequence[FullRecord],
        offsets: Mapping[int, int],
        membership: object,
    ) -> None:
        """Make all of it visible. May run in a thread of its own.

        Args:
            predictions: For the output topic, and for that of the newest ones where there is one.
            dead_letters: For the dead-letter topic.
            offsets: Last processed offset + 1 by partition; not empty.
            membership: `Reader.group_metadata` of the polling thread, taken just now.

        Raises:
            AbortableError: Nothing counts; `roll_back`, read again from the group's offsets.
            BrokerError: The process must end.
        """
        ...

    def keep_offsets(self, offsets: Mapping[int, int], *, in_rebalance: bool) -> None:
        """Store the group's offsets, unless `publish` has; in the polling thread.

        Args:
            in_rebalance: Partitions are being given up, in the middle of a poll.

        Raises:
            AbortableError: As for `publish`.
            BrokerError: The process must end.
        """
        ...

    def roll_back(self) -> None:
        """Undo a `publish` that failed, as far as that is possible."""
        ...


class AtLeastOnce:
    """Outputs first, then the offsets: a crash in between repeats a batch, and loses nothing."""

    def __init__(self, reader: Reader, writer: Writer, topics: TopicSettings) -> None:
        self._reader, self._writer, self._topics = reader, writer, topics

    def publish(
        self,
        predictions: Sequence[Record],
        dead_letters: Sequence[FullRecord],
        offsets: Mapping[int, int],
        membership: object,
    ) -> None:
        """See `Delivery`."""
        _send(self._writer, self._topics, predictions, dead_letters)
        self._writer.flush()

    def keep_offsets(self, offsets: Mapping[int, int], *, in_rebalance: bool) -> None:
        """See `Delivery`."""
        if in_rebalance:
            self._reader.commit_in_rebalance(offsets)
        else:
            self._reader.commit(offsets)

    def roll_back(self) -> None:
        """What was sent stays; it will be sent again."""


class ExactlyOnce:
    """Outputs and offsets in one transaction: all of it becomes visible, or nothing.

    Dead letters go through the same producer, or a crash could lose or repeat them.
    """

    def __init__(self, offsets: GroupOffsets, writer: Writer, topics: TopicSettings) -> None:
        self._offsets, self._writer, self._topics = offsets, writer, topics

    def publish(
        self,
        predictions: Sequence[Record],
        dead_letters: Sequence[FullRecord],
        offsets: Mapping[int, int],
        membership: object,
    ) -> None:
        """See `Delivery`."""
        self._writer.begin()
        _send(self._writer, self._topics, predictions, dead_letters)
        self._writer.commit(self._offsets.to_commit(offsets), membership)

    def keep_offsets(self, offsets: Mapping[int, int], *, in_rebalance: bool) -> None:
        """The transaction has stored them."""

    def roll_back(self) -> None:
        """Throw the transaction away."""
        self._writer.abort()


def _send(
    writer: Writer,
    topics: TopicSettings,
    predictions: Sequence[Record],
    dead_letters: Sequence[FullRecord],
) -> None:
    writer.send(topics.output, predictions)
    if topics.newest:
        writer.send(topics.newest, predictions)
    for dead_letter in dead_letters:
        writer.send_full(topics.deadletter, dead_letter)

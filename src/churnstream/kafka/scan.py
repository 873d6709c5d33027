"""Reading an offset range of a topic without joining a group."""

from collections.abc import Callable, Iterator, Mapping

from confluent_kafka import Consumer

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import BrokerUnreachableError
from churnstream.kafka.client import (
    OF_A_GROUP,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
    client_config,
    translated,
)
from churnstream.kafka.lost_client import LostClientDetector

_BATCH = 10_000
_WAIT = 0.5


class Scan:
    """Iterates over the committed records of a topic in batches, from `starts` up to `ends`.

    Args:
        starts: First offset to read, by partition.
        ends: Offset (exclusive) to read up to; where none is given, up to the partition's end.
        give_up: Asked while nothing comes; True ends the wait.

    Attributes:
        reached: By partition, where reading ended: the partition's end or later than `ends`.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        starts: Mapping[int, int],
        ends: Mapping[int, int] | None = None,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._give_up = give_up
        self.reached: dict[int, int] = {}
        self._settings = settings
        self._topic = topic
        self._ends = dict(ends or {})
        empty = {p for p, start in starts.items() if p in self._ends and self._ends[p] <= start}
        self._open = {p: start for p, start in starts.items() if p not in empty}
        self.reached.update({p: starts[p] for p in empty})

    def __iter__(self) -> Iterator[list[Message]]:
        """Batches of records, in offset order within each partition.

        Raises:
            BrokerUnreachableError: The client has lost its brokers, and another can find them.
            BrokerError: The topic cannot be read.
        """
        detector = LostClientDetector(self._settings, self._topic)
        config = client_config(
            self._settings,
            {
                "group.id": "churnstream-scan",  # required by the client, never joined
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                # How long the broker may wait at a partition's end before it says so.
                "fetch.wait.max.ms": 20,
            },
        )
        with translated(f"reading {self._topic}", [f"read topic {self._topic}"]):
            reader = Consumer(config)
            try:
                reader.assign([TopicPartition(self._topic, p, o) for p, o in self._open.items()])
                while self._open:
                    first = reader.poll(_WAIT)
                    if first is None:
                        if self._give_up():
                            raise BrokerUnreachableError(f"reading {self._topic}: given up")
                        detector.require_brokers(reader)
                        continue
                    detector.note_sign_of_life()
                    # consume() alone would wait out its time for a batch that cannot fill.
                    messages = [first, *reader.consume(_BATCH, timeout=0)]
                    self._note_ends(reader, messages)
                    if inside := self._sort(messages):
                        yield inside
            finally:
                reader.close()

    def _note_ends(self, reader: Consumer, messages: list[Message]) -> None:
        """An end that nobody gave is that of the first answer: a busy topic moves its end on."""
        read = {message.partition() or 0 for message in messages}
        for partition in read - self._ends.keys():
            position = TopicPartition(self._topic, partition)
            end = reader.get_watermark_offsets(position, cached=True)[1]
            if end > 0:
                self._ends[partition] = end

    def _sort(self, messages: list[Message]) -> list[Message]:
        """Keep what lies in the range, and close the partitions that were read up to its end."""
        inside: list[Message] = []
        for message in messages:
            partition: int = message.partition()  # type: ignore[assignment]
            offset: int = message.offset()  # type: ignore[assignment]
            error = message.error()
            end = self._ends.get(partition)
            if error is not None:
                if error.code() in OF_A_GROUP:
                    continue
                self._check(error)
                self._close(partition, offset)
            elif end is None or offset < end:
                inside.append(message)
                if offset + 1 == end:
                    self._close(partition, end)
            else:
                self._close(partition, offset)
        return inside

    def _check(self, error: KafkaError) -> None:
        if error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)

    def _close(self, partition: int, offset: int) -> None:
        if partition in self._open:
            del self._open[partition]
            self.reached[partition] = offset

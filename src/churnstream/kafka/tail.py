"""Reading topics from their earliest offset and on and on, without joining a group."""

from collections.abc import Iterable

from confluent_kafka import OFFSET_BEGINNING, Consumer

from churnstream.connection_settings import KafkaSettings
from churnstream.kafka.client import (
    OF_A_GROUP,
    Connection,
    KafkaError,
    Message,
    TopicPartition,
    client_config,
    to_error,
    translated,
)
from churnstream.kafka.lost_client import LostClientDetector

_BATCH = 5_000
_PASSING = {KafkaError._ALL_BROKERS_DOWN, *OF_A_GROUP}  # the client goes on by itself


class Tail:
    """The committed records of some topics, as they arrive."""

    def __init__(self, settings: KafkaSettings, positions: Iterable[tuple[str, int]]) -> None:
        self._unread = set(positions)
        self._topics = ", ".join(sorted({topic for topic, _ in self._unread}))
        self._detector = LostClientDetector(settings, next(iter(sorted(self._unread)))[0])
        self._connection = Connection(settings.brokers)
        own: dict[str, object] = {
            "group.id": "churnstream-tail",  # required by the client, never joined
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            # Of a partition 4 MB may wait in the client, and then nothing is asked for within a
            # second: who only looks must not keep the broker from those who work.
            "queued.max.messages.kbytes": 4096,
            "fetch.queue.backoff.ms": 1000,
            "fetch.wait.max.ms": 100,
        }
        with translated(f"reading {self._topics}"):
            self._reader = Consumer(client_config(settings, own, self._connection))
            starts = [TopicPartition(t, p, OFFSET_BEGINNING) for t, p in sorted(self._unread)]
            self._reader.assign(starts)

    @property
    def caught_up(self) -> bool:
        """Whether every partition was read up to its end once."""
        return not self._unread

    @property
    def cut_off(self) -> bool:
        """Whether no broker can be reached."""
        return self._connection.down

    def poll(self, timeout: float) -> list[Message]:
        """Wait for a record, then take what has arrived with it.

        Args:
            timeout: Seconds to wait for the first one.

        Raises:
            BrokerUnreachableError: The client has lost its brokers, and another can find them.
            BrokerError: A topic cannot be read.
        """
        with translated(f"reading {self._topics}"):
            first = self._reader.poll(timeout)
            more = [] if first is None else self._reader.consume(_BATCH, timeout=0)
        messages = [] if first is None else [first, *more]
        if messages:
            self._connection.on_progress()
            self._detector.note_sign_of_life()
        else:
            self._detector.require_brokers(self._reader)
        records = [message for message in messages if self._is_record(message)]
        self._note_ends(records)
        return records

    def _note_ends(self, records: list[Message]) -> None:
        """A busy topic never reports its end, so it is compared with what the broker said last."""
        if not self._unread:
            return
        reached = {(r.topic(), r.partition()): r.offset() for r in records}
        for position in self._unread & reached.keys():
            end = self._reader.get_watermark_offsets(TopicPartition(*position), cached=True)[1]
            if (reached[position] or 0) + 1 >= end:
                self._unread.discard(position)

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._PARTITION_EOF:
            self._unread.discard((message.topic() or "", message.partition() or 0))
        elif error.code() not in _PASSING:
            topic = message.topic() or self._topics
            raise to_error(error, f"reading {topic}", [f"read topic {topic}"])
        return False

    def close(self) -> None:
        """End the connection."""
        self._reader.close()

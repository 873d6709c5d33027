"""The batch producer's position in its file, kept together with the rows it speaks of."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
import structlog

from churnstream.connection_settings import KafkaSettings
from churnstream.deadline import Deadline
from churnstream.errors import (
    AbortableError,
    BrokerError,
    CheckpointError,
    FencedError,
    RightMissingError,
)
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Message
from churnstream.kafka.scan import Scan
from churnstream.kafka.writer import Record, Writer
from churnstream.pipeline.position_file import PositionFile

log = structlog.get_logger(__name__)

_LONGEST_PAUSE = 5.0  # seconds between two attempts at a batch that keeps failing
_COMES_BACK = 60.0  # seconds that a broker may take to answer again
_Rows = Annotated[int, msgspec.Meta(ge=0)]


class CheckpointKey(msgspec.Struct, frozen=True):
    """What a position belongs to: other content or another topic is another source.

    A topic that was deleted and made again, or stands on another broker, is another topic.

    Attributes:
        digest: SHA-256 of the file's bytes, as hex.
        topic: Where its rows are sent.
        topic_id: The topic's identity, which no other topic of its name ever has.
    """

    digest: str
    topic: str
    topic_id: str = ""

    @property
    def key(self) -> str:
        """The identity as text."""
        return f"{self.digest}:{self.topic}:{self.topic_id}"


class Sink(Protocol):
    """Sends rows and remembers how many were sent."""

    def alone(self) -> AbstractContextManager[None]:
        """Keep two processes from sending the source at once."""
        ...

    def start(self, *, resume: bool) -> int:
        """How many rows of the source were sent before; 0 without `resume`."""
        ...

    def publish(self, records: Sequence[Record], rows: int) -> None:
        """Send the next rows; `rows` of the source have then been sent in all."""
        ...


class FileSink:
    """Keeps the position in a local file, written after the broker has confirmed the rows.

    A crash in between repeats one batch and loses nothing.
    """

    def __init__(self, writer: Writer, source: CheckpointKey, path: Path) -> None:
        self._writer, self._source = writer, source
        self._positions: PositionFile[int] = PositionFile(path, _Rows)

    def alone(self) -> AbstractContextManager[None]:
        """See `Sink`.

        Raises:
            CheckpointError: Another process sends the source, or no file can be written.
        """
        return self._positions.alone(self._source.key)

    def start(self, *, resume: bool) -> int:
        """See `Sink`.

        Raises:
            CheckpointError: The file is there but cannot be read.
        """
        rows = self._positions.get(self._source.key)
        if rows and not resume:
            rows = self._keep(0)  # or the old position might be taken for one of this run
        return rows or 0

    def publish(self, records: Sequence[Record], rows: int) -> None:
        """See `Sink`."""
        self._writer.send(self._source.topic, records)
        self._writer.flush()
        try:
            self._keep(rows)
        except CheckpointError as error:
            raise CheckpointError(
                f"{error}; the rows up to here are sent, the last batch would be sent again"
            ) from error

    def _keep(self, rows: int) -> int:
        return self._positions.change(self._source.key, lambda _: rows)


class TransactionSink:
    """Keeps the position in a compacted topic, in the same transaction as the rows.

    As Kafka Connect's exactly-once source connectors do (KIP-618): rows and position become visible
    together, so a run that died is resumed without a row lost or repeated.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        admin: Admin,
        writer: Writer,
        source: CheckpointKey,
        topic: str,
    ) -> None:
        self._settings, self._admin, self._writer = settings, admin, writer
        self._source, self._topic = source, topic
        self._kept = 0  # the position as the topic has it

    def alone(self) -> AbstractContextManager[None]:
        """See `Sink`. Whoever starts later fences the other: the identity sees to that."""
        return nullcontext()

    def start(self, *, resume: bool) -> int:
        """See `Sink`. Fences a predecessor first: what it has open would be missed otherwise."""
        self._writer.init_transactions()
        self._kept = self._read_patiently()
        if self._kept and not resume:
            self.publish([], 0)  # or the old position might be taken for one of this run
        return self._kept

    def publish(self, records: Sequence[Record], rows: int) -> None:
        """See `Sink`. A transaction that failed is repeated, ever more slowly."""
        failures = 0
        while not (self._try(records, rows) or self._is_sent(rows)):
            failures += 1
            time.sleep(min(_LONGEST_PAUSE, 0.1 * 2**failures))

    def _try(self, records: Sequence[Record], rows: int) -> bool:
        position: Record = {"key": self._source.key.encode(), "value": str(rows).encode()}
        try:
            self._writer.begin()
            # First, so that its partition joins the transaction together with those of the rows.
            self._writer.send(self._topic, [position])
            self._writer.send(self._source.topic, records)
            self._writer.commit()
        except AbortableError as error:
            log.warning("batch_rolled_back", rows=len(records), error=str(error))
            self._writer.abort()
            return False
        self._kept = rows
        return True

    def _is_sent(self, rows: int) -> bool:
        """Whether a transaction that seemed to fail was committed: an answer may have been lost.

        Whoever slept for too long may have been replaced, and must not repeat its rows.
        """
        position = self._read_patiently()
        if position not in (self._kept, rows):
            raise FencedError("another process has sent more rows of this file; this one ends")
        is_sent = position != self._kept
        self._kept = position
        return is_sent

    def _read_patiently(self) -> int:
        """A broker that has just come back does not answer everything at once."""
        deadline = Deadline(_COMES_BACK)
        while True:
            try:
                return self._read()
            except BrokerError as error:
                if deadline.passed or isinstance(error, RightMissingError):
                    raise
                time.sleep(0.5)

    def _read(self) -> int:
        key, rows = self._source.key.encode(), 0
        for record in notes(self._settings, self._admin, self._topic):
            if record.key() == key:
                rows = int(record.value() or b"0")
        return rows


def notes(settings: KafkaSettings, admin: Admin, topic: str) -> Iterator[Message]:
    """Every record of the checkpoint topic.

    All processes write to its one partition, and an open transaction of any hides what others have
    committed behind it: such a one is waited for.

    Raises:
        BrokerError: It did not end in time, or the topic cannot be read.
    """
    earliest, latest = (
        admin.earliest_offsets(topic),
        admin.latest_settled_offsets(topic, whole=True),
    )
    for batch in Scan(settings, topic, earliest, latest):
        yield from batch

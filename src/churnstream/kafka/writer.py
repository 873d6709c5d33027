"""Sending records, in transactions where they have an identity."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import AbortableError, RecordRejectedError, RightMissingError
from churnstream.kafka.client import (
    Connection,
    Headers,
    KafkaError,
    KafkaException,
    TopicPartition,
    to_error,
    translated,
)
from churnstream.kafka.producer_client import MAX_BYTES, ProducerClient
from churnstream.kafka.transactions import Transactions

_SLICE = 0.5  # seconds that a blocking call may keep signals waiting


class Record(TypedDict):
    """One record, in the form of `Producer.produce_batch`."""

    key: bytes | None
    value: bytes | None


class FullRecord(Record):
    """A record with headers, and with a timestamp in milliseconds since 1970 (0: now)."""

    headers: Headers
    timestamp: int


class Writer:
    """Sends records, and knows when the broker has them all.

    Args:
        transactional_id: Stable per instance; None for no transactions.
        max_bytes: What each of its topics takes, as `Admin.max_record_bytes` has it. A topic
            rejects a batch that is larger, however small the records in it.
        give_up: Asked twice a second while waiting for the broker; True ends the wait.
        connection: Shared by the clients of a process, so that an outage is reported once.

    Attributes:
        is_transactional: Whether it has an identity.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        transactional_id: str | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        give_up: Callable[[], bool] = lambda: False,
        connection: Connection | None = None,
    ) -> None:
        self.is_transactional = transactional_id is not None
        self._client = ProducerClient(
            settings,
            transactional_id,
            max_bytes=max_bytes,
            give_up=give_up,
            connection=connection or Connection(settings.brokers),
        )
        self._transactions = Transactions(self._client)

    def send(self, topic: str, records: Sequence[Record]) -> None:
        """Hand records to the client, waiting while its buffer is full.

        Raises:
            BrokerError: A record cannot be sent, as when it is too large.
        """
        pending = list(records)
        while pending:
            with self._sending(topic):
                taken = self._client.producer.produce_batch(topic, pending)  # type: ignore[arg-type]
            self._poll()
            if taken == len(pending):
                return
            pending = self._unsent(topic, pending)
            self._poll(0.1)
            self._client.raise_if_given_up(f"sending to {topic}")

    def _unsent(self, topic: str, records: list[Record]) -> list[Record]:
        """Those for which the buffer had no room; the client notes it in the record itself."""
        errors = [record.pop("_error", None) for record in records]  # type: ignore[typeddict-item]
        with self._sending(topic):
            for error in errors:
                if error is not None and error.code() != KafkaError._QUEUE_FULL:
                    raise KafkaException(error)
        return [record for record, error in zip(records, errors, strict=True) if error is not None]

    def send_full(self, topic: str, record: FullRecord) -> None:
        """Hand one record with headers to the client, waiting while its buffer is full.

        Raises:
            BrokerError: The record cannot be sent, as when it is too large.
        """
        while True:
            try:
                with self._sending(topic):
                    return self._client.producer.produce(topic, **record)  # type: ignore[arg-type]
            except BufferError:
                self._poll(0.1)
                self._client.raise_if_given_up(f"sending to {topic}")

    @contextmanager
    def _sending(self, topic: str) -> Iterator[None]:
        """See `translated`; a transaction that has failed meanwhile takes no more records.

        Raises:
            AbortableError: In place of the client's word for that, unless a record is at fault.
        """
        doing = f"sending to {topic}"
        self._client.topic = topic
        if (right := f"write topic {topic}") not in self._client.needs:
            self._client.needs.append(right)
        try:
            yield
        except KafkaException as error:
            fault = error.args[0]
            if fault.code() in (KafkaError._STATE, KafkaError._FATAL):
                self._poll()  # hear what it failed of
            if fault.code() != KafkaError._STATE:
                raise to_error(fault, doing, self._client.needs) from error
            why = to_error(self._client.failure or fault, doing, self._client.needs)
            if isinstance(why, RecordRejectedError | RightMissingError):
                self._transactions.unusable = True  # see `Transactions._in_time`
                raise why from error
            raise AbortableError(str(why)) from error

    def flush(self) -> None:
        """Wait until the broker has confirmed every record.

        Raises:
            BrokerError: A record was rejected, or the wait was given up.
        """
        while self._flush():
            self._client.raise_if_given_up("waiting for the broker to confirm records")
        self._client.connection.on_progress()
        if self._client.failure is not None:
            failure, self._client.failure = self._client.failure, None
            raise to_error(failure, "sending records", self._client.needs)

    def _flush(self) -> int:
        with translated("sending records", self._client.needs):
            return self._client.producer.flush(_SLICE)

    def unconfirmed(self) -> int:
        """How many records wait for the broker's word."""
        return len(self._client.producer)

    def poll(self) -> None:
        """Serve the client's callbacks; an idle producer piles them up otherwise.

        Raises:
            BrokerError: The client is beyond repair.
        """
        self._poll()

    def _poll(self, seconds: float = 0.0) -> None:
        if self.is_transactional:
            self._transactions.poll(seconds)
        else:
            self._client.poll(seconds)

    def init_transactions(self) -> None:
        """Take over the identity; see `Transactions.take_identity`."""
        self._transactions.take_identity()

    def begin(self) -> None:
        """Open a transaction; all that is sent until `commit` becomes visible together."""
        self._transactions.begin()

    def commit(
        self, offsets: list[TopicPartition] | None = None, group_metadata: object = None
    ) -> None:
        """Commit what was sent since `begin`; see `Transactions.commit`."""
        self._transactions.commit(offsets, group_metadata)

    def abort(self) -> None:
        """Throw away what was sent since `begin`, if there was one."""
        self._transactions.abort()

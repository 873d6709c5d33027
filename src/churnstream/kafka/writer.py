"""An idempotent producer, transactional if it has an identity."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict

import structlog
from confluent_kafka import Producer

from churnstream.deadline import Deadline
from churnstream.errors import (
    AbortableError,
    BrokerError,
    ConfigurationError,
    FencedError,
    RecordRejectedError,
    RightMissingError,
    TransactionEndedError,
)
from churnstream.kafka.client import (
    Connection,
    Headers,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
    client_config,
    to_error,
    translated,
)
from churnstream.kafka.hanging import call_guarded
from churnstream.settings import KafkaSettings

log = structlog.get_logger(__name__)

# Above what one batch needs, and far below the client's default of 1 GB.
_BUFFER_KB = 64 * 1024
# A record that a broker took can be sent on with failure headers added to it.
MOST_BYTES = 2 * 1024 * 1024
_BATCH_BYTES = 1_000_000  # the client's default
_SLICE = 0.5  # seconds that a blocking call may keep signals waiting
_HANGS = 10.0  # seconds after which a call that should have taken `_SLICE` is given up
_SILENT = 30.0  # seconds after which another client asks for the identity


class Record(TypedDict):
    """One record, in the form of `Producer.produce_batch`."""

    key: bytes | None
    value: bytes | None


class FullRecord(Record):
    """A record with headers, and with a timestamp in milliseconds since 1970 (0: now)."""

    headers: Headers
    timestamp: int


class _NoAnswerError(AbortableError):
    """The client hangs, or there is no broker; another client may get an answer."""


class Writer:
    """Sends records, and knows when the broker has them all.

    Args:
        transactional_id: Stable per instance; None for no transactions.
        max_bytes: What each of its topics takes, as `Admin.max_record_bytes` has it. A topic
            rejects a batch that is larger, however small the records in it.
        give_up: Asked twice a second while waiting for the broker; True ends the wait.
        connection: Shared by the clients of a process, so that an outage is told once.

    Attributes:
        is_transactional: Whether it has an identity.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        transactional_id: str | None = None,
        *,
        max_bytes: int = MOST_BYTES,
        give_up: Callable[[], bool] = lambda: False,
        connection: Connection | None = None,
    ) -> None:
        self.is_transactional = transactional_id is not None
        self._failure: KafkaError | None = None
        self._needs = [f"write transactional id {transactional_id}"]
        self._give_up = give_up
        own: dict[str, object] = {
            "enable.idempotence": True,
            # Java's partitioner: a key lands where every other Kafka client puts it.
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "queue.buffering.max.kbytes": _BUFFER_KB,
            "message.max.bytes": MOST_BYTES,
            "batch.size": min(_BATCH_BYTES, max_bytes),
            # Success is the rule and needs no callback.
            "delivery.report.only.error": True,
            # The broker ends a transaction behind our back, and for some milliseconds refuses the
            # next one; at the default of 100 ms that would be most of a small batch's time.
            "retry.backoff.ms": 10,
            "on_delivery": self._on_failure,
            # A record that waits for ever asks nothing, so that its connection may be dead for as
            # long: this question has a timeout.
            "topic.metadata.refresh.interval.ms": 5_000,
        }
        if transactional_id is None:
            # Wait for a broker as long as it takes: a record is never dropped for its age.
            own["message.timeout.ms"] = 0
        else:
            own["transactional.id"] = transactional_id
            # What a process that died left open holds back its partitions' readers for so long.
            own["transaction.timeout.ms"] = 20_000
        self._connection = connection or Connection(settings.brokers)
        self._config = client_config(settings, own, self._connection)
        self._transaction_timeout = float(self._config.get("transaction.timeout.ms", 0)) / 1000
        if transactional_id is not None and "socket.timeout.ms" not in settings.client:
            # The client wants it at least 100 ms shorter than a transaction may last.
            longest = round(self._transaction_timeout * 1000) - 100
            self._config["socket.timeout.ms"] = min(self._config["socket.timeout.ms"], longest)
        self._transaction = Deadline(0)  # by which the broker ends it
        self._is_open = False  # whether there is a transaction to commit or to abort
        self._unusable = False
        self._producer = self._start()

    def _start(self) -> Producer:
        with translated("starting the producer"):
            return Producer(self._config)

    def _on_failure(self, error: KafkaError, _: Message) -> None:
        self._failure = self._failure or error

    def send(self, topic: str, records: Sequence[Record]) -> None:
        """Hand records to the client, waiting while its buffer is full.

        Raises:
            BrokerError: A record cannot be sent, as when it is too large.
        """
        pending = list(records)
        while pending:
            with self._sending(topic):
                taken = self._producer.produce_batch(topic, pending)  # type: ignore[arg-type]
            self._producer.poll(0)
            if taken == len(pending):
                return
            pending = self._unsent(topic, pending)
            self._producer.poll(0.1)
            self._raise_if_given_up(f"sending to {topic}")

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
                    return self._producer.produce(topic, **record)  # type: ignore[arg-type]
            except BufferError:
                self._producer.poll(0.1)
                self._raise_if_given_up(f"sending to {topic}")

    @contextmanager
    def _sending(self, topic: str) -> Iterator[None]:
        """See `translated`; a transaction that has failed meanwhile takes no more records.

        Raises:
            AbortableError: In place of the client's word for that, unless a record is at fault.
        """
        doing = f"sending to {topic}"
        if (right := f"write topic {topic}") not in self._needs:
            self._needs.append(right)
        try:
            yield
        except KafkaException as error:
            fault = error.args[0]
            if fault.code() != KafkaError._STATE:
                raise to_error(fault, doing, self._needs) from error
            self._producer.poll(0)  # hear what it failed of
            why = to_error(self._failure or fault, doing, self._needs)
            if isinstance(why, RecordRejectedError | RightMissingError):
                self._unusable = True  # see `_in_time`
                raise why from error
            raise AbortableError(str(why)) from error

    def flush(self) -> None:
        """Wait until the broker has confirmed every record.

        Raises:
            BrokerError: A record was refused, or the wait was given up.
        """
        while self._producer.flush(_SLICE):
            self._raise_if_given_up("waiting for the broker to confirm records")
        self._connection.on_progress()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise to_error(failure, "sending records", self._needs)

    def unconfirmed(self) -> int:
        """How many records wait for the broker's word."""
        return len(self._producer)

    def poll(self) -> None:
        """Serve the client's callbacks; an idle producer piles them up otherwise."""
        self._producer.poll(0)

    def init_transactions(self) -> None:
        """Take over the identity: ends what a predecessor left open, and fences it.

        Raises:
            BrokerError: The broker refused, or the wait was given up.
        """
        doing = "taking the transactional identity"
        while True:
            check = self._patience(doing, _SILENT)
            try:
                self._retrying(lambda: self._producer.init_transactions(_SLICE), doing, check)
            except _NoAnswerError:
                self._producer = self._start()
            else:
                self._unusable = False
                return

    def begin(self) -> None:
        """Open a transaction; all that is sent until `commit` becomes visible together."""
        with translated("beginning a transaction"):
            self._producer.begin_transaction()
        self._is_open = True
        self._transaction = Deadline(self._transaction_timeout)

    def commit(
        self, places: list[TopicPartition] | None = None, group_metadata: object = None
    ) -> None:
        """Commit what was sent since `begin`, and with it the group's place.

        Args:
            places: Last processed offset + 1 of each partition; never empty.
            group_metadata: Of the reader, taken just now.

        Raises:
            AbortableError: The transaction failed, or there was no answer for so long that only
                the broker knows; `abort` it, and ask for what was committed.
            FencedError: A newer process has this identity.
            BrokerError: The client is beyond repair.
        """
        if places is not None:
            # With no valid offset the broker would commit the outputs alone, silently.
            if not any(place.offset >= 0 for place in places):
                raise BrokerError("a transaction needs at least one offset to commit")
            self._add_offsets(places, group_metadata)
        doing = "committing"
        # By then the broker has either committed it or ended it for its age.
        check = self._patience(doing, self._transaction_timeout + _HANGS)
        self._in_time(lambda: self._producer.commit_transaction(_SLICE), doing, check)
        self._is_open = False
        self._connection.on_progress()

    def _add_offsets(self, places: list[TopicPartition], group_metadata: object) -> None:
        """The one call of a transaction that may hang, whatever its timeout.

        See librdkafka's issues 5456 and 5511: it waits for a coordinator that has left the
        cluster.
        """
        doing = "adding offsets to the transaction"
        add = self._producer.send_offsets_to_transaction
        check = self._patience(doing, _HANGS)

        def add_guarded() -> None:
            call_guarded(lambda: add(places, group_metadata, _SLICE), check, _SLICE)

        self._in_time(add_guarded, doing, check)

    def abort(self) -> None:
        """Throw away what was sent since `begin`, if there was one."""
        doing = "aborting"
        if self._is_open and not self._unusable:
            check = self._patience(doing, _HANGS)
            try:
                self._in_time(lambda: self._producer.abort_transaction(_SLICE), doing, check)
            except AbortableError:
                self._unusable = True
        if self._unusable:
            # Taking the identity anew aborts the transaction too.
            self._producer = self._start()
            self.init_transactions()
        self._is_open = False
        self._failure = None

    def _patience(self, doing: str, seconds: float) -> Callable[[], None]:
        """What to ask while a call has no answer, for so long at most.

        A client that saw its coordinator go away and come back may never get an answer again, from
        whichever call: it is replaced, and the broker fences it.
        """
        deadline = Deadline(seconds)

        def check() -> None:
            self._producer.poll(0)  # hear that the brokers are gone, and say so
            self._raise_if_given_up(doing)
            if deadline.passed:
                self._unusable = True
                raise _NoAnswerError(f"{doing} failed: no answer in {seconds:g} s")

        return check

    def _in_time(self, call: Callable[[], None], doing: str, check: Callable[[], None]) -> None:
        """Tell a transaction that took too long from a newer process with our identity.

        The client reports both as fenced, or the first as a call that does not fit the state of the
        transaction: the broker has ended it. A newer process cannot be ruled out after the timeout
        either; then it is that one which finds itself fenced, and ends.
        """
        try:
            self._retrying(call, doing, check)
        except RecordRejectedError:
            self._unusable = True  # its next transaction would fail: "skipped sequence numbers"
            raise
        except (FencedError, TransactionEndedError) as error:
            if not self._transaction.passed:
                raise
            self._unusable = True
            raise AbortableError(f"{doing} failed: the transaction timed out") from error

    def _retrying(self, call: Callable[[], None], doing: str, check: Callable[[], None]) -> None:
        """Repeat a call while the client says that the same call may still succeed."""
        while True:
            try:
                return call()
            except KafkaException as error:
                fault = error.args[0]
                if fault.fatal() or not fault.retriable():
                    raise self._why(fault, doing) from error
                check()

    def _why(self, fault: KafkaError, doing: str) -> BrokerError | ConfigurationError:
        """A transaction only says that records failed; a right that is missing, they say."""
        if self._failure is not None:
            why = to_error(self._failure, doing, self._needs)
            if isinstance(why, RightMissingError):
                return why
        return to_error(fault, doing, self._needs)

    def _raise_if_given_up(self, doing: str) -> None:
        if self._give_up():
            raise BrokerError(f"{doing}: given up, since the process was told to stop")

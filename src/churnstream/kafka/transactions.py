"""Transactions of a producer: taking the identity, beginning, committing, aborting."""

from collections.abc import Callable

from churnstream.deadline import Deadline
from churnstream.errors import (
    AbortableError,
    BrokerError,
    ConfigurationError,
    FencedError,
    RecordRejectedError,
    RightMissingError,
    SequenceLostError,
    TransactionEndedError,
)
from churnstream.kafka.client import (
    KafkaError,
    KafkaException,
    TopicPartition,
    to_error,
    translated,
)
from churnstream.kafka.guarded_call import call_guarded
from churnstream.kafka.producer_client import ProducerClient

_SLICE = 0.5  # seconds that a blocking call may keep signals waiting
_HANGS = 10.0  # seconds after which a call that should have taken `_SLICE` is given up
_AFTER_OUTAGE = 4.0  # the same once a broker that was away answers again
_ENDED = 2.0  # seconds past its timeout after which the broker has ended a transaction


class _NoAnswerError(AbortableError):
    """The client hangs, or there is no broker; another client may get an answer."""


class Transactions:
    """Those of one producer; where its client no longer answers, it is replaced.

    Attributes:
        unusable: Whether the client can go on only as a new one.
    """

    def __init__(self, client: ProducerClient) -> None:
        self._client = client
        self._deadline = Deadline(0)  # by which the broker ends the one that is open
        self._is_open = False  # whether there is one to commit or to abort
        self.unusable = False

    def take_identity(self) -> None:
        """Take over the identity: ends what a predecessor left open, and fences it.

        Raises:
            BrokerError: The broker rejected it, or the wait was given up.
        """
        doing = "taking the transactional identity"
        while True:
            check = self._timeout(doing, _HANGS)
            try:
                self._retrying(
                    lambda: self._client.producer.init_transactions(_SLICE), doing, check
                )
            except _NoAnswerError:
                self._client.replace()
            else:
                self.unusable = False
                return

    def begin(self) -> None:
        """Open a transaction; all that is sent until `commit` becomes visible together."""
        with translated("beginning a transaction"):
            self._client.producer.begin_transaction()
        self._is_open = True
        self._deadline = Deadline(self._client.transaction_timeout)

    def commit(
        self, offsets: list[TopicPartition] | None = None, group_metadata: object = None
    ) -> None:
        """Commit what was sent since `begin`, and with it the group's offsets.

        Args:
            offsets: Last processed offset + 1 of each partition; never empty.
            group_metadata: Of the reader, taken just now.

        Raises:
            AbortableError: The transaction failed, or there was no answer for so long that only
                the broker knows; `abort` it, and ask for what was committed.
            FencedError: A newer process has this identity.
            BrokerError: The client is beyond repair.
        """
        if offsets is not None:
            # With no valid offset the broker would commit the outputs alone, silently.
            if not any(position.offset >= 0 for position in offsets):
                raise BrokerError("a transaction needs at least one offset to commit")
            self._add_offsets(offsets, group_metadata)
        doing = "committing"
        # By then the broker has either committed it or ended it for its age.
        check = self._timeout(doing, self._client.transaction_timeout + _ENDED)
        self._in_time(lambda: self._client.producer.commit_transaction(_SLICE), doing, check)
        self._is_open = False
        self._client.connection.on_progress()

    def _add_offsets(self, offsets: list[TopicPartition], group_metadata: object) -> None:
        """The one call of a transaction that may hang, whatever its timeout.

        See librdkafka's issues 5456 and 5511: it waits for a coordinator that has left the
        cluster.
        """
        doing = "adding offsets to the transaction"
        add = self._client.producer.send_offsets_to_transaction
        check = self._timeout(doing, _HANGS)

        def add_guarded() -> None:
            call_guarded(lambda: add(offsets, group_metadata, _SLICE), check, _SLICE)

        self._in_time(add_guarded, doing, check)

    def abort(self) -> None:
        """Throw away what was sent since `begin`, if there was one."""
        doing = "aborting"
        if self._is_open and not self.unusable:
            check = self._timeout(doing, _HANGS)
            try:
                self._in_time(lambda: self._client.producer.abort_transaction(_SLICE), doing, check)
            except AbortableError:
                self.unusable = True
        if self.unusable:
            # Taking the identity anew aborts the transaction too.
            self._client.replace()
            self.take_identity()
        self._is_open = False
        self._client.failure = None

    def poll(self, seconds: float = 0.0) -> None:
        """Serve the library's callbacks while a transaction is open; see `ProducerClient.poll`.

        Raises:
            AbortableError: The transaction took too long; `abort` it.
            BrokerError: The client is beyond repair.
        """
        self._in_time(lambda: self._client.poll(seconds), "sending records", lambda: None)

    def _timeout(self, doing: str, seconds: float) -> Callable[[], None]:
        """What to ask while a call has no answer, for so long at most while there is a broker.

        A client that saw its coordinator go away and come back may never get an answer again, from
        whichever call: it is replaced, and the broker fences it. So is one that has lost its
        brokers. While there is none, another client would hear no more.
        """
        deadline, detector = Deadline(seconds), self._client.detector()

        def check() -> None:
            nonlocal deadline
            self._client.poll()  # hear that the brokers are gone, and say so
            self._client.raise_if_given_up(doing)
            if detector.is_lost(self._client.producer):
                raise self._no_answer(f"{doing} failed: the client has lost its brokers")
            if detector.nobody_answers:
                deadline = Deadline(_AFTER_OUTAGE)
            elif deadline.passed:
                raise self._no_answer(f"{doing} failed: no answer in {deadline.seconds:g} s")

        return check

    def _no_answer(self, why: str) -> "_NoAnswerError":
        self.unusable = True
        return _NoAnswerError(why)

    def _in_time(self, call: Callable[[], None], doing: str, check: Callable[[], None]) -> None:
        """Tell a transaction that took too long from a newer process with our identity.

        The client reports both as fenced, or the first as a call that does not fit the state of the
        transaction: the broker has ended it. A newer process cannot be ruled out after the timeout
        either; then it is that one which finds itself fenced, and ends.
        """
        try:
            self._retrying(call, doing, check)
        except (RecordRejectedError, SequenceLostError):
            self.unusable = True  # its next transaction would fail for its sequence numbers
            raise
        except (FencedError, TransactionEndedError) as error:
            if not self._deadline.passed:
                raise
            self.unusable = True
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
        if self._client.failure is not None:
            why = to_error(self._client.failure, doing, self._client.needs)
            if isinstance(why, RightMissingError):
                return why
        return to_error(fault, doing, self._client.needs)

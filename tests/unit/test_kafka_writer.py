"""What a transaction's errors mean, as a client that is beyond repair reports them."""

from typing import Any

import pytest

from churnstream.connection_settings import KafkaSettings
from churnstream.deadline import Deadline
from churnstream.errors import AbortableError, BrokerError, FencedError, TransactionEndedError
from churnstream.kafka import producer_client, transactions
from churnstream.kafka.client import KafkaError, KafkaException
from churnstream.kafka.writer import Writer

# The same call may be made again; so says the client each time that half a second is over.
NO_ANSWER = KafkaError(KafkaError._TIMED_OUT, "no answer", False, True)


class Client:
    """Stands in for the library's producer; ends every transaction with the same error."""

    made = 0
    deaf = 0  # the first so many of them get no identity

    def __init__(self, _: dict[str, Any]) -> None:
        Client.made += 1
        self.error: int | None = None
        self.silent = self.speaks = False

    def begin_transaction(self) -> None:
        """Always works."""

    def init_transactions(self, _: float) -> None:
        """Works, unless it is one of those that never answer."""
        if Client.made <= Client.deaf:
            raise KafkaException(NO_ANSWER)

    def poll(self, _: float) -> None:
        """Nothing to hear, unless it is told to say of what it died."""
        if self.speaks and self.error is not None:
            raise KafkaException(KafkaError(self.error, "died", True))

    def produce_batch(self, _: str, records: list[Any]) -> int:
        """Takes all."""
        return len(records)

    def flush(self, seconds: float) -> int:
        """Sends all."""
        self.poll(seconds)
        return 0

    def commit_transaction(self, _: float) -> None:
        """Fails as told."""
        if self.silent:
            raise KafkaException(NO_ANSWER)
        if self.error is not None:
            raise KafkaException(KafkaError(self.error))

    abort_transaction = commit_transaction


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Writer:
    """A writer in the middle of a transaction."""
    monkeypatch.setattr(producer_client, "Producer", Client)
    made = Writer(KafkaSettings(), "identity")
    made.begin()
    return made


def test_a_transaction_that_never_began_needs_no_abort(writer: Writer) -> None:
    """A batch may fail before it is opened, and the client rejects to abort nothing."""
    writer.commit()
    fail(writer, KafkaError._STATE, late=False)

    writer.abort()


def client_of(writer: Writer) -> Client:
    """The client under it."""
    client: Client = vars(writer)["_client"].producer
    return client


def fail(writer: Writer, code: int, *, late: bool) -> None:
    """Let the transaction fail, at once or after it may have timed out."""
    client_of(writer).error = code
    if late:
        vars(writer)["_transactions"]._deadline = Deadline(-1)


def assert_replaced_by_abort(writer: Writer) -> None:
    """An abort makes one new client, with which work goes on."""
    before = Client.made
    writer.abort()

    assert Client.made == before + 1
    writer.begin()
    writer.commit()


@pytest.mark.parametrize("code", [KafkaError._FENCED, KafkaError.INVALID_TXN_STATE])
def test_a_transaction_that_took_too_long_is_repeated(writer: Writer, code: int) -> None:
    """What the broker ended by itself can be aborted, with a new client."""
    fail(writer, code, late=True)
    with pytest.raises(AbortableError, match="timed out"):
        writer.commit()
    assert_replaced_by_abort(writer)


@pytest.mark.parametrize("code", [KafkaError._FENCED, KafkaError.INVALID_TXN_STATE])
def test_an_abort_that_comes_too_late_is_none_that_fails(writer: Writer, code: int) -> None:
    """A transaction that is to be aborted may have been ended by the broker already."""
    fail(writer, code, late=True)
    writer.abort()

    writer.begin()
    writer.commit()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._FENCED, FencedError),
        (KafkaError.INVALID_TXN_STATE, TransactionEndedError),
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, BrokerError),
    ],
)
def test_in_time_it_is_what_it_says(writer: Writer, code: int, kind: type[BrokerError]) -> None:
    """Before its time is up nobody but another process can have ended a transaction."""
    fail(writer, code, late=False)
    with pytest.raises(kind):
        writer.commit()


@pytest.mark.parametrize("late", [False, True])
def test_a_broker_that_lost_the_records_before_gets_another_client(
    writer: Writer, late: bool
) -> None:
    """Its topic was created again, or it is another copy; nothing of the transaction is visible."""
    fail(writer, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, late=late)
    with pytest.raises(AbortableError):
        writer.commit()
    assert_replaced_by_abort(writer)


@pytest.mark.parametrize(("late", "kind"), [(False, FencedError), (True, AbortableError)])
def test_a_client_that_dies_while_it_sends_says_so(
    writer: Writer, late: bool, kind: type[BrokerError]
) -> None:
    """The library raises what is fatal from whichever call comes next, and it ends in one line."""
    fail(writer, KafkaError._FENCED, late=late)
    client_of(writer).speaks = True
    with pytest.raises(kind):
        writer.send("topic", [{"key": None, "value": b"record"}])


def test_a_client_without_transactions_that_dies_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is that a traceback, while it waits or while it is idle."""
    monkeypatch.setattr(producer_client, "Producer", Client)
    writer = Writer(KafkaSettings())
    client_of(writer).error, client_of(writer).speaks = KafkaError._FATAL, True
    for call in (writer.poll, writer.flush):
        with pytest.raises(BrokerError, match="died"):
            call()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All timeouts pass at once."""
    monkeypatch.setattr(transactions, "_HANGS", -1e9)
    monkeypatch.setattr(transactions, "_ENDED", -1e9)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("hangs_in_commit", [True, False])
def test_a_client_without_an_answer_is_replaced(writer: Writer, *, hangs_in_commit: bool) -> None:
    """How a commit ended nobody here knows then; the new client makes the broker end it."""
    client_of(writer).silent = True
    if hangs_in_commit:
        with pytest.raises(AbortableError, match="no answer"):
            writer.commit()
    assert_replaced_by_abort(writer)


@pytest.mark.usefixtures("impatient")
def test_clients_follow_each_other_until_one_gets_the_identity(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new client may hang as well."""
    monkeypatch.setattr(Client, "deaf", Client.made + 2)
    client_of(writer).silent = True
    before = Client.made
    writer.abort()

    assert Client.made == before + 3


@pytest.mark.parametrize("timeout", [1_000, 3_000, 20_000])
def test_short_transactions_are_a_valid_setting(timeout: int) -> None:
    """The client rejects a network timeout that is longer than a transaction may last."""
    settings = KafkaSettings(client={"transaction.timeout.ms": timeout})

    assert Writer(settings, "identity")

import threading
import time

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from churnstream.errors import (
    AbortableError,
    BrokerError,
    BrokerUnreachableError,
    ConfigurationError,
    FencedError,
    RecordRejectedError,
    RightMissingError,
    TopicMissingError,
)
from churnstream.kafka import client
from churnstream.kafka.client import Connection, to_error
from churnstream.kafka.guarded_call import call_guarded, is_hanging

ALL_DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN)


# ---- a call that may hang ----


def test_a_guarded_call_that_returns_is_not_asked_about() -> None:
    """Only waiting is interrupted by questions."""
    asked: list[bool] = []

    call_guarded(lambda: None, lambda: asked.append(True), every=5)

    assert asked == []


def test_what_a_guarded_call_raises_is_raised() -> None:
    """A failure, even one by timeout, is told apart from waiting."""

    def fail() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        call_guarded(fail, lambda: None, every=5)


def test_a_guarded_call_that_hangs_is_left_alone_when_the_check_says_so() -> None:
    """Whoever waits gets on with its work, and the call may return whenever it likes."""
    let_go, returned = threading.Event(), threading.Event()

    def hang() -> None:
        let_go.wait(10)
        returned.set()

    def give_up() -> None:
        raise BrokerError("enough")

    with pytest.raises(BrokerError, match="enough"):
        call_guarded(hang, give_up, every=0.01)
    assert not returned.is_set()
    assert is_hanging()
    let_go.set()
    assert returned.wait(10)
    for thread in threading.enumerate():
        if thread.name == "guarded":
            thread.join(10)
    assert not is_hanging()


# ---- outages ----


def test_an_outage_is_told_once_and_its_end_once() -> None:
    """However often the clients of a process notice it."""
    connection = Connection("127.0.0.1:9092")

    with capture_logs() as logs:
        for _ in range(3):
            connection.on_error(ALL_DOWN)
        for _ in range(3):
            connection.on_progress()
        connection.on_error(ALL_DOWN)

    assert [line["event"] for line in logs] == ["broker_unreachable", "broker_reachable_again"]


def test_the_next_outage_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes later than the last outage's echoes is a new one."""
    connection = Connection("127.0.0.1:9092")
    monkeypatch.setattr(client, "_STALE", 0.0)

    with capture_logs() as logs:
        connection.on_error(ALL_DOWN)
        connection.on_progress()
        time.sleep(0.01)
        connection.on_error(ALL_DOWN)

    assert len(logs) == 3
    assert connection.down


# ---- errors in our words ----


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, RecordRejectedError, "max.message.bytes"),
        (KafkaError.INVALID_TIMESTAMP, RecordRejectedError, "message.timestamp.before.max.ms"),
        (KafkaError.INVALID_RECORD, RecordRejectedError, "without a key"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, RightMissingError, "no right to this topic"),
        (KafkaError._FENCED, FencedError, "--instance"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, TopicMissingError, "churnstream topics create"),
        (KafkaError._TRANSPORT, BrokerUnreachableError, "is the broker up?"),
        (KafkaError._INVALID_ARG, ConfigurationError, "kafka.client"),
    ],
)
def test_an_error_says_what_to_do(code: int, kind: type[Exception], advice: str) -> None:
    """Each kind of error has an exception and a hint of its own."""
    found = to_error(KafkaError(code), "sending")

    assert type(found) is kind
    assert str(found).startswith("sending failed: ")
    assert advice in str(found)


def test_what_asks_for_an_abort_can_be_tried_again() -> None:
    """The client says by itself which failures end a transaction only."""
    error = KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "late", False, False, True)

    assert isinstance(to_error(error, "committing"), AbortableError)

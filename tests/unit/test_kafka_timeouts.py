"""How long who is waited for, as far as it can be seen without a broker."""

from typing import Any

import pytest

from churnstream.connection_settings import KafkaSettings
from churnstream.deadline import Deadline
from churnstream.errors import AbortableError
from churnstream.kafka import lost_client, producer_client
from churnstream.kafka.client import Connection, KafkaError, KafkaException
from churnstream.kafka.consumer_config import consumer_config
from churnstream.kafka.lost_client import LostClientDetector
from churnstream.kafka.transactions import Transactions

NO_ANSWER = KafkaError(KafkaError._TIMED_OUT, "no answer", False, True)


class Producer:
    """Stands in for the library's producer; its commit gets no answer.

    Attributes:
        answered: Whether it is answered when it is asked for brokers.
        calls: How often it was asked to commit.
    """

    def __init__(self, _: dict[str, Any]) -> None:
        self.answered, self.calls = True, 0

    def begin_transaction(self) -> None:
        """Always works."""

    def poll(self, _: float) -> None:
        """Nothing to hear."""

    def commit_transaction(self, _: float) -> None:
        """Nobody answers."""
        self.calls += 1
        raise KafkaException(NO_ANSWER)


class Detector:
    """Stands in for a look at the client: finds one thing after the other."""

    def __init__(self, *found: str) -> None:
        self._found = list(found)
        self.nobody_answers = False

    def is_lost(self, _: object) -> bool:
        """Whether it is lost this time."""
        found = self._found.pop(0) if len(self._found) > 1 else self._found[0]
        self.nobody_answers = found == "nobody"
        return found == "lost"


def transactions(monkeypatch: pytest.MonkeyPatch, *found: str) -> Transactions:
    """Those of a client in the middle of one, and what is found when the client is looked at."""
    monkeypatch.setattr(producer_client, "Producer", Producer)
    client = producer_client.ProducerClient(
        KafkaSettings(),
        "identity",
        max_bytes=1_000_000,
        give_up=lambda: False,
        connection=Connection(""),
    )
    monkeypatch.setattr(client, "detector", lambda: Detector(*found))
    made = Transactions(client)
    made.begin()
    return made


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_consumer_that_dies_is_missed_soon(protocol: str) -> None:
    """After six seconds, and as many heartbeats; in the new protocol the broker decides."""
    config = consumer_config(KafkaSettings(), "g", protocol, Connection(""), embedded=False)

    own = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000}
    assert own.items() <= config.items() if protocol == "classic" else own.keys().isdisjoint(config)


def test_a_producer_that_has_lost_its_brokers_is_replaced_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is looked at as a consumer is, and no timeout is waited for."""
    ours = transactions(monkeypatch, "well", "lost")

    with pytest.raises(AbortableError, match="the client has lost its brokers"):
        ours.commit()
    assert ours.unusable


def test_a_producer_is_not_replaced_while_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one would hear no more, and its turn comes soon after somebody answers."""
    monkeypatch.setattr("churnstream.kafka.transactions._AFTER_OUTAGE", -1.0)
    ours = transactions(monkeypatch, *["nobody"] * 9, "well")

    with pytest.raises(AbortableError, match="no answer"):
        ours.commit()
    assert vars(ours)["_client"].producer.calls == 10


class Asked:
    """Stands in for a client that gets no answer."""

    def __init__(self, *_: object) -> None:
        self.times = 0

    def list_topics(self, _: object, timeout: float) -> None:
        """Nobody answers."""
        self.times += 1
        raise KafkaException(NO_ANSWER)


def test_a_broker_that_is_away_is_asked_for_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its return is noticed soon, and not after another silence."""
    monkeypatch.setattr(lost_client, "Consumer", Asked)
    for timeout in ("_OURS", "_ANOTHER"):
        monkeypatch.setattr(lost_client, timeout, 0.01)
    detector = LostClientDetector(KafkaSettings(), "topic")
    detector._due = Deadline(-1)

    ours: Any = Asked()
    assert not detector.is_lost(ours)

    assert detector.nobody_answers
    assert detector._due.left <= 1


def test_a_question_to_a_client_ends_with_the_wish_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop is answered within five seconds, also while a client is being looked at."""
    monkeypatch.setattr(lost_client, "Consumer", Asked)
    detector = LostClientDetector(KafkaSettings(), "topic", give_up=lambda: True)
    detector._due = Deadline(-1)

    ours: Any = Asked()
    assert not detector.is_lost(ours)

    assert ours.times == 0

"""Which client is replaced, and which one only waits for its broker."""

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from churnstream.connection_settings import KafkaSettings
from churnstream.deadline import Deadline
from churnstream.errors import BrokerUnreachableError
from churnstream.kafka import lost_client as module
from churnstream.kafka import scan, tail
from churnstream.kafka.client import KafkaError, KafkaException
from churnstream.kafka.lost_client import LostClientDetector
from churnstream.kafka.scan import Scan
from churnstream.kafka.tail import Tail

TOPIC = "telco.raw.customers"


class Client:
    """Stands in for a client of the library; gets an answer or gets none."""

    def __init__(self, *, answered: bool) -> None:
        self.answered, self.brokers = answered, {1: "127.0.0.1"}
        self.asked: list[str | None] = []

    def list_topics(self, topic: str | None, timeout: float) -> SimpleNamespace:
        """Ask any broker about a topic."""
        self.asked.append(topic)
        if not self.answered:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(brokers=self.brokers)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client is looked at, and has little time to answer."""
    monkeypatch.setattr(module, "_SILENCE", -1)
    for timeout in ("_OURS", "_ANOTHER", "_LAST"):
        monkeypatch.setattr(module, timeout, 0.01)


def is_lost(monkeypatch: pytest.MonkeyPatch, ours: Client, *, another: bool) -> bool:
    """Whether ours is found to be lost after some silence, where another is answered or not."""
    impatient(monkeypatch)
    monkeypatch.setattr(module, "Consumer", lambda _: Client(answered=another))
    client: Any = ours
    return LostClientDetector(KafkaSettings(), TOPIC).is_lost(client)


def test_a_client_is_lost_if_only_another_gets_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its broker is there, and it does not look for it; that is told."""
    with capture_logs() as logs:
        assert is_lost(monkeypatch, Client(answered=False), another=True)

    assert [line["event"] for line in logs] == ["client_lost"]


@pytest.mark.parametrize(("ours", "another"), [(True, True), (True, False), (False, False)])
def test_a_client_that_waits_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, *, ours: bool, another: bool
) -> None:
    """Nothing is to be had while the broker is away, and nothing is wrong with one that has it."""
    with capture_logs() as logs:
        assert not is_lost(monkeypatch, Client(answered=ours), another=another)

    assert logs == []


def test_a_client_that_answers_late_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker may come back between two questions; ours is asked once more."""
    impatient(monkeypatch)
    ours: Any = Client(answered=False)

    def come_back(_: object) -> Client:
        ours.answered = True
        return Client(answered=True)

    monkeypatch.setattr(module, "Consumer", come_back)

    assert not LostClientDetector(KafkaSettings(), TOPIC).is_lost(ours)


def test_an_answer_without_brokers_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is told that there are no brokers would be lost as well."""
    impatient(monkeypatch)
    another = Client(answered=True)
    another.brokers = {}
    monkeypatch.setattr(module, "Consumer", lambda _: another)
    ours: Any = Client(answered=False)

    assert not LostClientDetector(KafkaSettings(), TOPIC).is_lost(ours)


def test_a_client_that_was_heard_of_is_left_in_peace() -> None:
    """Nothing is asked through it until it was silent for some seconds."""
    client: Any = Client(answered=False)

    assert not LostClientDetector(KafkaSettings(), TOPIC).is_lost(client)
    assert client.asked == []


class Silent(Client):
    """A consumer that hears nothing."""

    def __init__(self, _: dict[str, Any]) -> None:
        super().__init__(answered=False)

    def assign(self, _: object) -> None:
        """What is read."""

    def poll(self, _: float) -> None:
        """Nothing came."""

    def close(self) -> None:
        """Nothing is left."""


def test_a_scan_and_a_tail_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a topic without a group is told, too."""
    impatient(monkeypatch)
    monkeypatch.setattr(module, "Consumer", lambda _: Client(answered=True))
    monkeypatch.setattr(scan, "Consumer", Silent)
    monkeypatch.setattr(tail, "Consumer", Silent)

    with pytest.raises(BrokerUnreachableError):
        list(Scan(KafkaSettings(), TOPIC, {0: 0}))
    with pytest.raises(BrokerUnreachableError):
        Tail(KafkaSettings(), [(TOPIC, 0)]).poll(0)


def test_an_answer_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that was asked and answered has a broker; one that was not is silent on."""
    impatient(monkeypatch)
    monkeypatch.setattr(module, "Consumer", lambda _: Client(answered=False))
    answers: list[bool] = []
    detector = LostClientDetector(KafkaSettings(), TOPIC, on_answer=lambda: answers.append(True))
    begin = detector._heard

    silent: Any = Client(answered=False)
    assert not detector.is_lost(silent)
    assert (detector._heard, answers) == (begin, [])

    heard: Any = Client(answered=True)
    detector._due = Deadline(-1)
    assert not detector.is_lost(heard)
    assert (detector._heard is begin, answers) == (False, [True])

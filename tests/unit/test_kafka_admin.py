"""Asking a cluster again while it is moving things about."""

from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import BrokerUnreachableError, TopicMissingError
from churnstream.kafka import admin_client as module
from churnstream.kafka.admin import Admin
from churnstream.kafka.admin_client import RetryingAdminClient
from churnstream.kafka.client import KafkaError, KafkaException
from churnstream.kafka.lost_client import LostClientDetector
from churnstream.kafka.topic_creation import TopicSpec


def failing(*codes: int) -> Callable[[], str]:
    """A question that is answered once all of these errors have come."""
    left = list(codes)

    def ask() -> str:
        if left:
            raise KafkaException(KafkaError(left.pop(0)))
        return "answer"

    return ask


@pytest.fixture
def retrying(monkeypatch: pytest.MonkeyPatch) -> RetryingAdminClient:
    """One on a cluster that answers."""
    monkeypatch.setattr(module, "AdminClient", Client)
    return RetryingAdminClient(KafkaSettings(), lambda: False)


def test_a_cluster_without_controller_is_asked_again(retrying: RetryingAdminClient) -> None:
    """What only a controller can answer times out until there is one, and that is no failure."""
    assert retrying.repeat(failing(KafkaError._TIMED_OUT, KafkaError.NOT_COORDINATOR)) == "answer"


def test_asking_again_ends(retrying: RetryingAdminClient) -> None:
    """After the time that was given the last error is raised, and others are raised at once."""
    with pytest.raises(KafkaException):
        retrying.repeat(failing(*[KafkaError._TIMED_OUT] * 3), 0.15)
    with pytest.raises(KafkaException):
        retrying.repeat(failing(KafkaError.TOPIC_AUTHORIZATION_FAILED))


class Client:
    """Stands in for the library's admin client; only the first one gets no more answers."""

    made = 0

    def __init__(self, _: dict[str, Any]) -> None:
        Client.made += 1
        self.answers = 1 if Client.made == 1 else 10

    def list_topics(self, timeout: float) -> SimpleNamespace:
        """All topics of a cluster that has none."""
        self.answers -= 1
        if self.answers < 0:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics={}, cluster_id="cluster", brokers={})

    def describe_topics(self, *_: object, **__: object) -> None:
        """Nothing that has not been listed."""
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))


def test_a_client_that_lost_its_brokers_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question fails, and the next one goes to another client."""
    monkeypatch.setattr(module, "AdminClient", Client)
    monkeypatch.setattr(Client, "made", 0)
    admin = Admin(KafkaSettings())
    monkeypatch.setattr(LostClientDetector, "is_lost", lambda *_: True)

    with pytest.raises(BrokerUnreachableError):
        admin.partitions("telco.raw.customers")
    with pytest.raises(TopicMissingError):
        admin.partitions("telco.raw.customers")
    assert Client.made == 2


class SlowToShow(Client):
    """A cluster that agrees to a topic, and shows it only when asked for the third time."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.asked = 0

    def list_topics(self, timeout: float) -> SimpleNamespace:
        """The topic, after a while."""
        self.asked += 1
        topic = SimpleNamespace(error=None, partitions={0: None})
        topics = {"t": topic} if self.asked > 3 else {}
        return SimpleNamespace(topics=topics, cluster_id="cluster", brokers={})

    def create_topics(self, topics: list[Any], **_: object) -> dict[str, Future[None]]:
        """Yes."""
        done: Future[None] = Future()
        done.set_result(None)
        return {topic.topic: done for topic in topics}


def test_a_created_topic_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts right after the creation of a topic finds it."""
    monkeypatch.setattr(module, "AdminClient", SlowToShow)
    admin = Admin(KafkaSettings())

    assert admin.create([TopicSpec("t", 1, 1, {})]) == {"t": True}
    assert admin.partitions("t") == [0]

"""Creating topics, and waiting until they can be seen."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from churnstream.deadline import Deadline
from churnstream.errors import BrokerError
from churnstream.kafka.client import KafkaError, KafkaException, translated

_TIMEOUT = 10.0
_VISIBLE_WITHIN = 60.0  # seconds that a busy broker may take to hear of a topic
_SOON = 0.05  # seconds between two looks


class TopicSpec(msgspec.Struct, frozen=True):
    """A topic to create."""

    name: str
    partitions: int
    replication_factor: int
    config: dict[str, str]


def create_topics(
    client: AdminClient, topics: Iterable[TopicSpec], is_there: Callable[[str], bool]
) -> dict[str, bool]:
    """Create what does not exist yet.

    A broker says yes once the controller has agreed, and may hear of the topic itself a moment
    later: whoever starts in between would not find it. So this ends when it is there.

    Args:
        is_there: Takes a topic; whether the broker shows it.

    Returns:
        By topic: whether it is new.

    Raises:
        BrokerError: One cannot be created, or does not appear.
    """
    new = [NewTopic(t.name, t.partitions, t.replication_factor, config=t.config) for t in topics]
    answers = client.create_topics(new, operation_timeout=_TIMEOUT)
    created = {name: _created(name, answer) for name, answer in answers.items()}
    for name in (name for name, is_new in created.items() if is_new):
        _wait_for(name, is_there)
    return created


def _created(name: str, answer: Any) -> bool:  # noqa: ANN401  # an untyped future
    with translated(f"creating topic {name}", [f"create topic {name}"]):
        try:
            answer.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return False
        return True


def _wait_for(name: str, is_there: Callable[[str], bool]) -> None:
    deadline = Deadline(_VISIBLE_WITHIN)
    while not is_there(name):
        if deadline.passed:
            raise BrokerError(
                f"topic {name} was created, and is not to be seen after {_VISIBLE_WITHIN:g} s; "
                "look whether the brokers are well"
            )
        time.sleep(_SOON)

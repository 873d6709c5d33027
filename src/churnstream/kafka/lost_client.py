"""Telling a client that has lost its brokers for good from one that waits for them."""

from collections.abc import Callable

import structlog
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from churnstream.connection_settings import KafkaSettings
from churnstream.deadline import Deadline
from churnstream.errors import BrokerUnreachableError
from churnstream.kafka.client import KafkaException, client_config, translated

Client = Consumer | Producer | AdminClient

log = structlog.get_logger(__name__)

_SILENCE = 3.0  # seconds without a word from the broker, after which a client is looked at
_AGAIN = 1.0  # seconds after which it is looked at again, while there is no broker
_OURS = 0.5  # seconds that our client has for an answer
_ANOTHER = 1.0  # seconds that a new client has
_LAST = 2.0  # seconds that ours has again, once another was answered: more than its back-off
_SLICE = 0.5  # seconds that a question may keep signals waiting


class LostClientDetector:
    """Finds out whether a client has to be replaced.

    A broker that has just come back may say for a moment that its cluster has no brokers. The
    client library then drops all that it knew, and may never ask anybody again; it neither says so
    nor recovers (seen in librdkafka 2.16; its issue 5301). From outside that looks like a broker
    that is away, but for one thing: another client gets an answer.

    Args:
        topic: What is asked about; without one about all, which is a long answer.
        on_answer: Called when our client was asked, and was answered.
        give_up: Asked while waiting for an answer; True ends the wait.

    Attributes:
        nobody_answers: Whether there was no broker when the client was last looked at.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str | None = None,
        on_answer: Callable[[], None] = lambda: None,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings, self._topic = settings, topic
        self._on_answer, self._give_up = on_answer, give_up
        self.note_sign_of_life()

    def note_sign_of_life(self) -> None:
        """The client has just had an answer, or is new."""
        self._heard = self._due = Deadline(_SILENCE)
        self.nobody_answers = False

    @property
    def silence(self) -> float:
        """Seconds since our client last had an answer, or was new."""
        return self._heard.elapsed

    def is_lost(self, client: Client | None) -> bool:
        """Whether the client gets no answer although there is one to be had.

        Asks nobody until there was silence for 3 s, and takes up to 3.5 s then.

        Args:
            client: None for one that cannot be asked, since it lets in one call after the other,
                and one of them hangs.
        """
        if not self._due.passed:
            return False
        if self._is_heard(client, _OURS):
            return False
        if not self._is_answered(self._another(), _ANOTHER):
            self._due, self.nobody_answers = Deadline(_AGAIN), True
            return False
        if self._is_heard(client, _LAST) or self._give_up():
            return False
        topic = self._topic or "any"
        log.warning("client_lost", topic=topic, because="only another one gets an answer")
        return True

    def require_brokers(self, client: Consumer) -> None:
        """See `is_lost`; for a client whose work is begun anew, not continued.

        Raises:
            BrokerUnreachableError: It is lost.
        """
        if self.is_lost(client):
            raise BrokerUnreachableError(
                f"reading {self._topic} failed: the client has lost its brokers; try again"
            )

    def _another(self) -> Consumer:
        """A client that has just been made; it never joins its group, nor makes a topic."""
        with translated("asking the broker"):
            return Consumer(client_config(self._settings, {"group.id": "churnstream-lookout"}))

    def _is_heard(self, client: Client | None, seconds: float) -> bool:
        """Whether our client is answered, which is a sign of life."""
        if not self._is_answered(client, seconds):
            return False
        self.note_sign_of_life()
        self._on_answer()
        return True

    def _is_answered(self, client: Client | None, seconds: float) -> bool:
        """Whether it hears of a broker; signals wait for half a second at most."""
        if client is None:
            return False
        deadline = Deadline(seconds)
        while not deadline.passed and not self._give_up():
            try:
                return bool(client.list_topics(self._topic, timeout=_SLICE).brokers)
            except KafkaException:
                continue
        return False

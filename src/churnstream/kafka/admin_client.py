"""Requests to the cluster: repeated while it moves, and bounded in time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog
from confluent_kafka.admin import AdminClient, ClusterMetadata  # type: ignore[attr-defined]

from churnstream.connection_settings import KafkaSettings
from churnstream.deadline import Deadline
from churnstream.errors import BrokerUnreachableError
from churnstream.kafka.client import KafkaError, KafkaException, client_config, translated
from churnstream.kafka.lost_client import LostClientDetector

log = structlog.get_logger(__name__)

T = TypeVar("T")

_TIMEOUT = 10.0
_SHORTEST = 0.01  # seconds: 0 would not wait at all, and a fraction of a millisecond is cut
SLICE = 2.0  # seconds that a blocking call may keep signals waiting
_REJECTED = {KafkaError._AUTHENTICATION, KafkaError._SSL}
# A cluster that has just started, or lost a broker, moves things about for a second.
_MOVES = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,  # also where no controller is elected yet, which only some answers need
}


class RetryingAdminClient:
    """A client for requests to the cluster, replaced if it loses its brokers.

    Args:
        give_up: Asked while waiting for an answer; True ends the wait.

    Attributes:
        client: The client library's own.
        cluster: What the first broker that answered said.

    Raises:
        BrokerUnreachableError: No broker answers in `startup_timeout`.
    """

    def __init__(self, settings: KafkaSettings, give_up: Callable[[], bool]) -> None:
        self._settings, self._give_up = settings, give_up
        self._rejections: list[str] = []
        self._detector = LostClientDetector(settings, give_up=give_up)
        self.client = self._connect()
        self.cluster = self._first_answer()

    def _connect(self) -> AdminClient:
        with translated("connecting"):
            return AdminClient(client_config(self._settings, {}) | {"error_cb": self._hear})

    @contextmanager
    def request(self, doing: str, needs: str = "") -> Iterator[None]:
        """See `translated`; a client that has lost its brokers is replaced."""
        try:
            with translated(doing, [needs]):
                yield
        except BrokerUnreachableError:
            if not self._give_up() and self._detector.is_lost(self.client):
                self.client = self._connect()
            raise

    def repeat(self, ask: Callable[[], T], seconds: float = _TIMEOUT) -> T:
        """Ask again while the cluster is moving what the question is about.

        Args:
            ask: Raises KafkaException.
            seconds: After which its exception counts.
        """
        deadline = Deadline(seconds)
        while True:
            try:
                return ask()
            except KafkaException as error:
                fault = error.args[0]
                if fault.code() not in _MOVES or deadline.passed:
                    raise
                if self._give_up():
                    raise _given_up("asking the broker") from error
                log.debug("asked_again", error=fault.str())
                time.sleep(0.1)

    def _hear(self, error: KafkaError) -> None:
        if error.code() in _REJECTED:
            self._rejections.append(error.str())

    def _first_answer(self) -> ClusterMetadata:
        """Wait for a broker, as long as the settings allow; the client backs off by itself."""
        deadline = Deadline(self._settings.startup_timeout)
        said = False
        while True:
            try:
                return self.client.list_topics(timeout=min(SLICE, deadline.left + _SHORTEST))
            except KafkaException as error:
                self.client.poll(0)  # hear what went wrong: a password, a certificate
                if self._give_up():
                    raise _given_up("looking for a broker") from error
                if deadline.left < _SHORTEST or self._rejections:
                    raise self._unreachable() from error
                if not said:
                    log.warning("broker_unreachable", waits_s=round(deadline.left), retrying=True)
                said = True

    def _unreachable(self) -> BrokerUnreachableError:
        where, waited = self._settings.brokers, self._settings.startup_timeout
        advice = "check --broker, or start one with: churnstream broker"
        return BrokerUnreachableError(
            f"no broker answered at {where} within {waited:g} s; "
            f"{self._rejections[0] if self._rejections else advice}"
        )


def _given_up(doing: str) -> BrokerUnreachableError:
    return BrokerUnreachableError(f"{doing}: given up, since the process was asked to stop")

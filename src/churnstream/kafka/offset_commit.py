"""Committing a group's offsets without a transaction, between two polls."""

import time
from collections.abc import Callable

from confluent_kafka import Consumer

from churnstream.deadline import Deadline
from churnstream.errors import AbortableError, BrokerError
from churnstream.kafka.client import (
    UNREACHABLE,
    KafkaError,
    KafkaException,
    TopicPartition,
    to_error,
)
from churnstream.kafka.guarded_call import call_guarded
from churnstream.kafka.lost_client import LostClientDetector

_REPEATED_FOR = 10.0  # seconds that a commit is tried again in a rebalance
_PAUSE = 0.1  # seconds between two attempts
# Our membership is being renewed. A partition is not given to others before we gave it up.
_REBALANCES = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
}
_REPEATED = {
    *_REBALANCES,
    *UNREACHABLE,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError._ASSIGNMENT_LOST,
}


class HangingError(AbortableError):
    """The client will not come back from a commit, and lets no other call in until then."""


def commit(
    client: Consumer,
    offsets: list[TopicPartition],
    detector: LostClientDetector,
    give_up: Callable[[], bool],
    session_timeout: float,
) -> None:
    """Commit offsets, and wait for the broker to confirm it.

    A commit may wait behind a JoinGroup of its own client for as long as the group waits for a
    member that died, and looks like one that hangs for ever meanwhile. So the client is given up
    only once the group must have done so: two memberships of a process never live side by side.

    Args:
        session_timeout: Seconds without a heartbeat after which the group gives a member up.

    Raises:
        AbortableError: They are not stored, and what lies before them must be read again.
        HangingError: The same, and the client has to be replaced.
        BrokerError: The broker rejected them for another reason, or the wait was given up.
    """
    doing = "committing offsets"
    session, repeated = Deadline(session_timeout), Deadline(_REPEATED_FOR)

    def check() -> None:
        if give_up():
            raise BrokerError(f"{doing}: given up, since the process was asked to stop")
        if session.passed and detector.is_lost(None):
            raise HangingError(f"{doing} failed: the client has lost its brokers")

    while error := _try(client, offsets, check):
        if error.code() in _REBALANCES and not repeated.passed:
            time.sleep(_PAUSE)
        elif error.code() in _REPEATED:
            raise AbortableError(f"{doing} failed: {error.str()}")
        else:
            raise to_error(error, doing)


def _try(
    client: Consumer, offsets: list[TopicPartition], check: Callable[[], None]
) -> KafkaError | None:
    """What is wrong with the first offset that could not be committed."""
    errors: list[KafkaError] = []

    def try_once() -> None:
        try:
            answers = client.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            errors.append(error.args[0])
        else:
            errors.extend(position.error for position in answers or [] if position.error)

    call_guarded(try_once, check, _PAUSE)
    return errors[0] if errors else None

"""Leaving a consumer group, so that the others need not miss us first."""

from collections.abc import Callable

import structlog
from confluent_kafka import Consumer

from churnstream.deadline import Deadline
from churnstream.errors import BrokerError, BrokerUnreachableError
from churnstream.kafka.client import KafkaException
from churnstream.kafka.guarded_call import call_guarded

log = structlog.get_logger(__name__)

_WITHIN = 15.0  # seconds that it may take
_LEAVE_TIMEOUT = 2.0  # seconds to hear that the group knows
_ON_ITS_WAY = 0.2  # seconds that the client has to send what it was asked to
_LEFT_OVER = 10_000  # records that are dropped at once
_PAUSE = 0.1


def leave(
    consumer: Consumer,
    finish_joining: Callable[[], None],
    give_up: Callable[[], bool],
    *,
    classic: bool,
) -> None:
    """Leave the group and close the client; or leave both alone, if that hangs.

    Args:
        finish_joining: Called first.
        give_up: Asked while it takes; True ends the wait.
        classic: Whether the group's protocol is the classic one.
    """
    deadline = Deadline(_WITHIN)

    def check() -> None:
        if give_up() or deadline.passed:
            raise BrokerUnreachableError("nobody answers; the group will miss us")

    def part() -> None:
        finish_joining()
        if classic:
            _unsubscribe(consumer)
        consumer.close()

    try:
        call_guarded(part, check, _PAUSE)
    except (KafkaException, RuntimeError, BrokerError) as error:
        log.warning("leave_failed", error=str(error))  # must not hide why we leave


def _unsubscribe(consumer: Consumer) -> None:
    """Tell the group: closing a client without partitions, or one that joins, does not.

    The client forgets its name in the group as it says good-bye. What it still has read is dropped:
    it is not committed, so others will read it.
    """
    consumer.unsubscribe()
    deadline = Deadline(_LEAVE_TIMEOUT)
    while consumer.memberid() and not deadline.passed:
        consumer.consume(_LEFT_OVER, _PAUSE)
    consumer.consume(_LEFT_OVER, _ON_ITS_WAY)

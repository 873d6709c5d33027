"""Telling a topic from an earlier one of its name.

Neither the client library nor an offset shows it: reading goes on in the new topic where it was in
the old one. Only the topic's ID does (KIP-516), so it travels with every offset that is committed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from churnstream.deadline import Deadline
from churnstream.errors import (
    BrokerError,
    BrokerUnreachableError,
    TopicMissingError,
    TopicRecreatedError,
)
from churnstream.kafka.admin import Admin

log = structlog.get_logger(__name__)

_EVERY = 1.0  # seconds between two questions while events flow
_TIMEOUT = 2.0  # seconds: whoever cannot be asked now is asked again


class TopicIdentity:
    """The ID of the topic that is being read or written.

    Attributes:
        topic_id: As it was when it was last asked for.
    """

    def __init__(self, admin: Admin, topic: str) -> None:
        self._admin, self._topic = admin, topic
        self.topic_id = admin.topic_id(topic)
        self._next = Deadline(_EVERY)

    def check(self, advice: str = "") -> None:
        """Ask whether it is still the same topic, unless that was asked just now.

        Args:
            advice: Ends the error's text, where the process ends with it.

        Raises:
            TopicRecreatedError: It is another one; the next question is answered for that.
        """
        if not self._next.passed:
            return
        with suppress(BrokerUnreachableError, TopicMissingError):
            self._compare(advice)

    @contextmanager
    def throughout(self, advice: str, stopped: Callable[[], bool]) -> Iterator[None]:
        """Ask at the end of the work within, also where it failed.

        A client only says what it came of: the broker that has the new topic knows nothing of what
        was sent to the old one, and a record in between fails for its sequence number.

        Args:
            advice: See `check`.
            stopped: Whether the process was asked to end, and has no time for an answer.

        Raises:
            TopicRecreatedError: It is another topic than before.
            TopicMissingError: The work failed, and the topic is gone.
        """
        try:
            yield
        except BrokerError:
            with suppress(BrokerUnreachableError):
                if not stopped():
                    self._compare(advice)
            raise
        with suppress(BrokerUnreachableError, TopicMissingError):
            if not stopped():
                self._compare(advice)

    def _compare(self, advice: str) -> None:
        found = self._admin.topic_id(self._topic, _TIMEOUT)
        self._next = Deadline(_EVERY)
        if found != self.topic_id:
            self.topic_id = found
            log.warning("topic_recreated", topic=self._topic)
            raise TopicRecreatedError(
                f"{self._topic} was deleted and created again meanwhile{advice}"
            )

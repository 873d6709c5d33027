"""The topics of a running flow: that they are there, and are still the same."""

from contextlib import suppress

from churnstream.errors import BrokerUnreachableError
from churnstream.kafka.admin import Admin
from churnstream.kafka.topic_identity import TopicIdentity
from churnstream.pipeline.outcome_offsets import note_outcome_start
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.settings import Settings


class FlowTopics:
    """Those that a consumer reads and writes: input, output, dead letters, and newest if set.

    Attributes:
        identity: Of the input topic.

    Raises:
        TopicMissingError: One of them does not exist.
    """

    def __init__(self, settings: Settings, admin: Admin, stop: StopSignal) -> None:
        self._settings, self._admin, self._stop = settings, admin, stop
        self._noted: set[str] = set()
        self.require()
        self.identity = TopicIdentity(admin, settings.topics.input)

    def require(self) -> None:
        """Make sure that all of them exist.

        Raises:
            TopicMissingError: One does not.
        """
        names = self._settings.topics
        for topic in (names.input, names.output, names.newest, names.deadletter):
            if topic is not None:
                self._admin.partitions(topic)

    def require_if_reachable(self) -> None:
        """The same, unless nobody can be asked; the client says nothing of a topic that is gone.

        Raises:
            TopicMissingError: One does not exist.
        """
        with suppress(BrokerUnreachableError):
            self.require()

    def before_publishing(self) -> None:
        """See that events are of the present input topic, and note where its outcomes begin.

        Raises:
            TopicRecreatedError: They are of one that is gone.
        """
        self.identity.check()
        topic_id = self.identity.topic_id
        if topic_id not in self._noted:
            note_outcome_start(self._settings, self._admin, topic_id, self._stop.overdue)
            self._noted.add(topic_id)

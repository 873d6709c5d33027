"""Being a member of a consumer group: joining, the partitions that are ours, and leaving."""

from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import Consumer

from churnstream.deadline import Deadline
from churnstream.kafka.client import TopicPartition, translated
from churnstream.kafka.group_leave import leave
from churnstream.kafka.lost_client import LostClientDetector
from churnstream.kafka.starting_offsets import StartingOffsets

log = structlog.get_logger(__name__)

_JOIN = 4.0  # seconds to finish joining before leaving
_PAUSE = 0.1
_MOMENT = 1.0  # seconds that a partition is not read which waits for something else


class GroupMembership:
    """Joins the group that reads a topic, anew with another client if the first one fails.

    Args:
        config: Of the client, as `consumer_config` makes it.
        starting_offsets: Where partitions are begun.
        detector: Finds out whether the client has lost its brokers.
        embedded: Whether the broker is the embedded one.
        classic: Whether the group's protocol is the classic one.
        give_up: Asked while waiting for the broker; True ends the wait.

    Attributes:
        client: Belongs to the polling thread.
        assigned: The partitions that are ours now.
        rebalances: How often partitions were given to us or taken away.
        lost: Partitions that were taken away since `lost` was last cleared.
        positions: By partition, the offset behind what was handed over since it was given to us.
        before_loss: Called before partitions are given up, with whether they are ours until then;
            ends what is under way with them.
        hangs: Whether a call of the client has not returned, so that no other can be made.
    """

    def __init__(
        self,
        config: dict[str, Any],
        topic: str,
        starting_offsets: StartingOffsets,
        detector: LostClientDetector,
        *,
        embedded: bool,
        classic: bool,
        give_up: Callable[[], bool],
    ) -> None:
        self.assigned: set[int] = set()
        self.rebalances = 0
        self.lost: set[int] = set()
        self.positions: dict[int, int] = {}
        self._put_off: dict[int, Deadline] = {}
        self.before_loss: Callable[[bool], None] = lambda _: None
        self._config, self._topic = config, topic
        self._starting_offsets, self._detector = starting_offsets, detector
        self._embedded, self._classic, self._give_up = embedded, classic, give_up
        self.client = self._join()

    def _join(self) -> Consumer:
        with translated("joining the group"):
            client = Consumer(self._config)
            client.subscribe(
                [self._topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
        self._joining = self._embedded
        self.hangs = False
        self._detector.note_sign_of_life()
        return client

    def rejoin_if_lost(self) -> None:
        """Join anew with another client if ours has lost its brokers; its partitions are gone."""
        if self.hangs or self._detector.is_lost(self.client):
            self.client = self._join()
            self._forget(set(self.assigned))
            log.warning("partitions_lost", topic=self._topic, partitions=[])

    def move(self, positions: list[TopicPartition]) -> None:
        """Read partitions that are ours from other offsets.

        A seek is rejected while a partition is only just being fetched; this never is.

        Raises:
            BrokerError: The client rejected it.
        """
        for position in positions:
            self.positions.pop(position.partition, None)
        with translated("moving to another offset"):
            self.client.incremental_unassign(positions)
            self.client.incremental_assign(positions)

    def put_off(self, positions: list[TopicPartition]) -> None:
        """Go to other offsets, and read their partitions again only after a moment.

        Raises:
            BrokerError: The client rejected it.
        """
        self.move(positions)
        with translated("pausing partitions"):
            self.client.pause(positions)
        self._put_off |= dict.fromkeys((p.partition for p in positions), Deadline(_MOMENT))

    def resume_due(self) -> None:
        """Read again what was put off a moment ago.

        Raises:
            BrokerError: The client rejected it.
        """
        due = {p for p, deadline in self._put_off.items() if deadline.passed}
        for partition in due:
            del self._put_off[partition]
        if mine := due & self.assigned:
            with translated("resuming partitions"):
                self.client.resume([TopicPartition(self._topic, p) for p in mine])

    def _on_assign(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._starting_offsets.on_assign(partitions)
        client.incremental_assign(partitions)
        for position in partitions:
            self.positions.pop(position.partition, None)
        self._joining = False
        self.rebalances += 1
        self.assigned |= {position.partition for position in partitions}
        log.info("partitions_assigned", topic=self._topic, partitions=sorted(self.assigned))

    def _on_revoke(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget({position.partition for position in partitions}, still_ours=True)
        client.incremental_unassign(partitions)
        log.info("partitions_revoked", topic=self._topic, partitions=sorted(self.assigned))

    def _on_lost(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget({position.partition for position in partitions})
        client.incremental_unassign(partitions)
        log.warning("partitions_lost", topic=self._topic, partitions=sorted(self.assigned))

    def _forget(self, partitions: set[int], *, still_ours: bool = False) -> None:
        self.before_loss(still_ours)
        self.lost |= partitions
        self.rebalances += 1
        self.assigned -= partitions

    def leave(self) -> None:
        """Leave the group, so that others take over at once; or leave it alone, if that hangs."""

        def finish_joining() -> None:
            """The embedded broker waits for ever for a consumer that left while it joined."""
            deadline = Deadline(_JOIN)
            while self._joining and not deadline.passed:
                self.client.poll(_PAUSE)

        leave(self.client, finish_joining, self._give_up, classic=self._classic)

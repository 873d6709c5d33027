"""Reading one topic as a member of a consumer group."""

import time
from collections.abc import Callable, Collection, Mapping

import structlog

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import (
    AbortableError,
    BrokerUnreachableError,
    RightMissingError,
    TopicMissingError,
)
from churnstream.kafka.client import (
    Connection,
    KafkaError,
    Message,
    TopicPartition,
    to_error,
    translated,
)
from churnstream.kafka.consumer_config import consumer_config
from churnstream.kafka.group_membership import GroupMembership
from churnstream.kafka.group_offsets import GroupOffsets
from churnstream.kafka.lost_client import LostClientDetector
from churnstream.kafka.offset_commit import HangingError, commit
from churnstream.kafka.polled_records import PolledRecords
from churnstream.kafka.starting_offsets import StartingOffsets

log = structlog.get_logger(__name__)

_SESSION_TIMEOUT_MS = 45_000  # the broker's default for KIP-848
_PAUSE = 0.1  # seconds between two attempts to read the group's offsets
_OF_A_PARTITION = {KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET}


class Reader:
    """Reads `topic` for `group`; commits only what it is asked to.

    Args:
        offsets: Of the group in the topic.
        starting_offsets: Where partitions are begun.
        protocol: "classic", or "consumer" for KIP-848.
        give_up: Asked while waiting for the broker; True ends the wait.
        connection: Shared by the clients of a process, so that an outage is reported once.

    Attributes:
        membership: In the group; its partitions are those that are read.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        group: str,
        offsets: GroupOffsets,
        starting_offsets: StartingOffsets,
        *,
        protocol: str = "classic",
        embedded: bool = False,
        give_up: Callable[[], bool] = lambda: False,
        connection: Connection | None = None,
    ) -> None:
        self._topic, self._give_up = topic, give_up
        self._held: set[int] = set()
        self._offsets, self._starting_offsets = offsets, starting_offsets
        self._connection = connection or Connection(settings.brokers)
        self._needs = (f"read topic {topic}", f"read group {group}")
        config = consumer_config(settings, group, protocol, self._connection, embedded=embedded)
        self._session_s = float(config.get("session.timeout.ms", _SESSION_TIMEOUT_MS)) / 1000
        self._detector = LostClientDetector(
            settings, topic, on_answer=self._connection.on_progress, give_up=give_up
        )
        self.membership = GroupMembership(
            config,
            topic,
            starting_offsets,
            self._detector,
            embedded=embedded,
            classic=protocol == "classic",
            give_up=give_up,
        )

    def poll(self, max_records: int, timeout: float) -> PolledRecords:
        """Wait for a record, then take what has arrived with it.

        What was read of partitions that are lost meanwhile may belong to another consumer by now,
        and is left out; the other partitions go on.

        Args:
            max_records: At most so many.
            timeout: Seconds to wait for the first one.

        Raises:
            BrokerError: The client is beyond repair, or the topic is gone.
        """
        self.membership.lost.clear()
        self.membership.resume_due()
        with translated(f"reading {self._topic}"):
            first = self.membership.client.poll(timeout)
            messages = [] if first is None else [first]
            if first is not None and max_records > 1:
                messages += self.membership.client.consume(max_records - 1, timeout=0)
        if messages:
            self._connection.on_progress()
            self._detector.note_sign_of_life()
        else:
            self.membership.rejoin_if_lost()
        if lost := self.membership.lost:
            messages = [message for message in messages if not _is_of(message, lost)]
        if not any(map(Message.error, messages)):
            polled = PolledRecords.of(messages, {})
        else:
            records = [message for message in messages if message.error() is None]
            polled = PolledRecords.of(records, self._sort_errors(messages))
        # The client notes its position only at the end of a poll, and goes back to the one that it
        # knows if a rebalance comes in the middle.
        polled = polled.since(self.membership.positions)
        self.membership.positions |= polled.next_offsets
        return polled._replace(again=frozenset(lost & self.membership.assigned)) if lost else polled

    def hold(self, held: bool) -> None:
        """Let no more records come, or let them come again; polls keep the membership.

        Raises:
            BrokerError: The client rejected it.
        """
        wanted = set(self.membership.assigned) if held else set()
        self._held -= self.membership.lost  # what comes back is not held
        with translated(f"reading {self._topic}"):
            if stop := wanted - self._held:
                self.membership.client.pause([TopicPartition(self._topic, p) for p in stop])
            if go_on := (self._held & self.membership.assigned) - wanted:
                self.membership.client.resume([TopicPartition(self._topic, p) for p in go_on])
        self._held = wanted

    def _sort_errors(self, messages: list[Message]) -> dict[int, int]:
        ends: dict[int, int] = {}
        for message in messages:
            error = message.error()
            if error is None:
                continue
            partition = message.partition() or 0
            if error.code() == KafkaError._PARTITION_EOF:
                ends[partition] = message.offset() or 0
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                self._start_over(partition, error)
            else:
                self._raise_if_fatal(error)
        return ends

    def _start_over(self, partition: int, error: KafkaError) -> None:
        offset = self._starting_offsets.without_offset(partition, error)
        self.membership.move([TopicPartition(self._topic, partition, offset)])

    def _raise_if_fatal(self, error: KafkaError) -> None:
        """The client retries what can be retried by itself; the rest ends the process."""
        fault = to_error(error, f"reading {self._topic}", self._needs)
        is_fatal = error.fatal() or error.code() == KafkaError._FATAL
        if is_fatal or isinstance(fault, TopicMissingError | RightMissingError):
            raise fault
        log.warning("read_error", topic=self._topic, error=error.str())

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Store the group's offsets, and wait for the broker to confirm it.

        Only between two polls: the client lets in one call after the other.

        Raises:
            AbortableError: The partitions are no longer ours: their new owner reads on from the
                last offset that was stored. Or nobody answered.
            BrokerError: The commit was rejected for another reason, or given up.
        """
        ours = self.membership.assigned - self.membership.lost
        if gone := offsets.keys() - ours:
            raise AbortableError(f"committing offsets failed: {sorted(gone)} are no longer ours")
        try:
            commit(
                self.membership.client,
                self._offsets.to_commit(offsets),
                self._detector,
                self._give_up,
                self._session_s,
            )
        except HangingError:
            self.membership.hangs = True
            raise

    def commit_in_rebalance(self, offsets: Mapping[int, int]) -> None:
        """Store the group's offsets before partitions are given up, called back by the client.

        The coordinator has just announced the rebalance, so that is there.

        Raises:
            BrokerError: They are not stored.
        """
        with translated("committing offsets"):
            positions = self._offsets.to_commit(offsets)
            self.membership.client.commit(offsets=positions, asynchronous=False)

    def group_metadata(self) -> object:
        """The group membership as of now, for a transaction; goes stale with every rebalance."""
        return self.membership.client.consumer_group_metadata()

    def group_offsets(self) -> dict[int, int]:
        """What the group has committed anywhere, for a consumer without partitions.

        Raises:
            BrokerError: The broker rejected it, or did not answer in time.
        """
        return self._offsets.everywhere(self.membership.client)

    def end_offsets(self) -> dict[int, int]:
        """The end of each partition that is ours, as the last answer of its broker gave it.

        Asks nobody. What has not been heard of yet is left out.
        """
        ask = self.membership.client.get_watermark_offsets
        mine = {p: TopicPartition(self._topic, p) for p in self.membership.assigned}
        known = {p: ask(partition, cached=True)[1] for p, partition in mine.items()}
        return {p: end for p, end in known.items() if end >= 0}

    def silence(self) -> float:
        """Seconds since a broker was last heard, some of which are normal where nothing happens."""
        return self._detector.silence

    @property
    def cut_off(self) -> bool:
        """Whether the client says that no broker can be reached."""
        return self._connection.down

    def put_off(self, offsets: Mapping[int, int]) -> None:
        """Go back to these offsets, and read their partitions again only after a moment.

        Raises:
            BrokerError: The client rejected it.
        """
        positions = [TopicPartition(self._topic, p, o) for p, o in offsets.items()]
        self.membership.put_off(positions)

    def rewind(self, only: Collection[int] | None = None) -> dict[int, int]:
        """Go back to the group's offsets in every partition that is ours, or only in some.

        Reading does not go back by itself when a transaction is aborted.

        Returns:
            Where reading goes on, by partition; below 0 for the beginning.

        Raises:
            BrokerError: Given up, or the broker rejected it.
        """
        waiting = False
        self.membership.rejoin_if_lost()
        while mine := self._ours(only):
            try:
                with translated("going back to the group's offsets"):
                    positions = self._committed(mine)
                self.membership.move(positions)
                return {position.partition: position.offset for position in positions}
            except BrokerUnreachableError as error:
                if self._give_up():
                    raise
                if not waiting:
                    log.warning(
                        "offsets_unknown", topic=self._topic, retrying=True, error=str(error)
                    )
                waiting = True
                self.membership.rejoin_if_lost()
                time.sleep(_PAUSE)
        return {}

    def _ours(self, only: Collection[int] | None) -> set[int]:
        assigned = self.membership.assigned
        return assigned if only is None else assigned.intersection(only)

    def _committed(self, partitions: Collection[int]) -> list[TopicPartition]:
        """Where to read partitions from, by what the group has committed."""
        found = self._offsets.committed(self.membership.client, partitions)
        topic_id, start = self._offsets.topic_id, self._starting_offsets.after
        return [TopicPartition(self._topic, p.partition, start(p, topic_id)) for p in found]

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self.membership.leave()


def _is_of(message: Message, partitions: Collection[int]) -> bool:
    """Whether it is a record of these partitions, or says something of them alone."""
    error = message.error()
    is_of_one = error is None or error.code() in _OF_A_PARTITION
    return is_of_one and message.partition() in partitions

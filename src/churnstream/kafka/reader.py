"""A member of a consumer group that reads one topic."""

import time
from collections.abc import Callable, Collection, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer

from churnstream.errors import (
    AbortableError,
    BrokerUnreachableError,
    RightMissingError,
    TopicMissingError,
)
from churnstream.kafka.client import (
    Connection,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
    is_of_another,
    place_to_commit,
    to_error,
    translated,
)
from churnstream.kafka.committing import HangingError, commit
from churnstream.kafka.leaving import leave
from churnstream.kafka.lookout import Lookout
from churnstream.kafka.member import member_config
from churnstream.kafka.polled import Polled
from churnstream.settings import KafkaSettings

log = structlog.get_logger(__name__)

_SESSION_TIMEOUT_MS = 45_000  # the client's default, and the broker's for KIP-848
_JOIN = 4.0  # seconds to finish joining before leaving
_SLICE = 2.0  # seconds that a blocking call may keep signals waiting
_PAUSE = 0.1  # seconds between two attempts to read the group's place
_OF_A_PARTITION = {KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET}


class Reader:
    """Reads `topic` for `group`; commits only what it is told to.

    Args:
        topic_id: The ID of the topic; offsets that were committed with another one do not count.
        starts: By partition, where to begin if the group has no place yet; without it, at the
            beginning of the topic.
        unread: Partitions that are read from their beginning when they are first assigned, whatever
            offset the group has committed: it is of an earlier topic.
        protocol: "classic", or "consumer" for KIP-848.
        give_up: Asked while waiting for the broker; True ends the wait.
        connection: Shared by the clients of a process, so that an outage is told once.

    Attributes:
        assigned: The partitions that are ours now.
        rebalances: How often partitions were given to us or taken away.
        before_loss: Called before partitions are given up, with whether they are ours until then;
            ends what is under way with them.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        group: str,
        *,
        topic_id: Callable[[], str] = lambda: "",
        starts: Mapping[int, int] | None = None,
        unread: Collection[int] = (),
        protocol: str = "classic",
        embedded: bool = False,
        give_up: Callable[[], bool] = lambda: False,
        connection: Connection | None = None,
    ) -> None:
        self.assigned: set[int] = set()
        self.rebalances = 0
        self._embedded, self._classic = embedded, protocol == "classic"
        self.before_loss: Callable[[bool], None] = lambda _: None
        self._give_up = give_up
        self._connection = connection or Connection(settings.brokers)
        self._topic = topic
        self._topic_id = topic_id
        self._unread = set(unread)
        self._needs = (f"read topic {topic}", f"read group {group}")
        self._starts = dict(starts or {})
        self._started: set[int] = set()  # partitions that have been read from their start
        self._lost_while_polling: set[int] = set()
        self._next: dict[int, int] = {}  # by partition, the place behind what was handed over
        self._config = member_config(settings, group, protocol, self._connection, embedded=embedded)
        self._lookout = Lookout(settings, topic, on_answer=self._connection.on_progress)
        self._consumer = self._join()

    def _join(self) -> Consumer:
        with translated("joining the group"):
            consumer = Consumer(self._config)
            consumer.subscribe(
                [self._topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
        self._joining = self._embedded
        self._hangs = False  # whether a call has not returned, so that no other can be made
        self._lookout.note_sign_of_life()
        return consumer

    def poll(self, most: int, timeout: float) -> Polled:
        """Wait for a record, then take what has arrived with it.

        What was read of partitions that are lost meanwhile may belong to another member by now,
        and is left out; the other partitions go on.

        Args:
            most: At most so many records.
            timeout: Seconds to wait for the first one.

        Raises:
            BrokerError: The client is beyond repair, or the topic is gone.
        """
        self._lost_while_polling.clear()
        with translated(f"reading {self._topic}"):
            first = self._consumer.poll(timeout)
            messages = [] if first is None else [first]
            if first is not None and most > 1:
                messages += self._consumer.consume(most - 1, timeout=0)
        if messages:
            self._connection.on_progress()
            self._lookout.note_sign_of_life()
        else:
            self._replace_if_lost()
        if lost := self._lost_while_polling:
            messages = [message for message in messages if not _is_of(message, lost)]
        if not any(map(Message.error, messages)):
            polled = Polled.of(messages, {})
        else:
            records = [message for message in messages if message.error() is None]
            polled = Polled.of(records, self._sort_errors(messages))
        # The client notes its position only at the end of a poll, and goes back to the one that it
        # knows if a rebalance comes in the middle.
        polled = polled.since(self._next)
        self._next |= polled.places
        return polled._replace(again=frozenset(lost & self.assigned)) if lost else polled

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
                self._judge(error)
        return ends

    def _start_over(self, partition: int, error: KafkaError) -> None:
        """There is no place in this partition yet, or it is one that retention has removed."""
        start = self._starts.get(partition, OFFSET_BEGINNING)
        offset = OFFSET_BEGINNING if partition in self._started else start
        self._started.add(partition)
        reads_from = "the beginning" if offset == OFFSET_BEGINNING else offset
        # Having none is normal at first; one that retention has passed means that events are gone.
        say = log.debug if "No offset stored" in error.str() else log.warning
        say("place_missing", partition=partition, reads_from=reads_from, because=error.str())
        self._move([TopicPartition(self._topic, partition, offset)])

    def _judge(self, error: KafkaError) -> None:
        """The client retries what can be retried by itself; the rest ends the process."""
        fault = to_error(error, f"reading {self._topic}", self._needs)
        is_fatal = error.fatal() or error.code() == KafkaError._FATAL
        if is_fatal or isinstance(fault, TopicMissingError | RightMissingError):
            raise fault
        log.warning("read_error", topic=self._topic, error=error.str())

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Store the group's place, and wait for the broker to confirm it.

        Only between two polls: the client lets in one call after the other.

        Raises:
            AbortableError: The partitions are no longer ours: their new owner reads on from the
                last place that was stored. Or nobody answered.
            BrokerError: The commit was refused for another reason, or given up.
        """
        if gone := offsets.keys() - self.assigned | offsets.keys() & self._lost_while_polling:
            raise AbortableError(f"committing offsets failed: {sorted(gone)} are no longer ours")
        try:
            commit(
                self._consumer,
                self.as_places(offsets),
                self._lookout,
                self._give_up,
                float(self._config.get("session.timeout.ms", _SESSION_TIMEOUT_MS)) / 1000,
            )
        except HangingError:
            self._hangs = True
            raise

    def commit_in_rebalance(self, offsets: Mapping[int, int]) -> None:
        """Store the group's place before partitions are given up, called back by the client.

        It was told of the rebalance by the coordinator just now, so that is there.

        Raises:
            BrokerError: The place is not stored.
        """
        with translated("committing offsets"):
            self._consumer.commit(offsets=self.as_places(offsets), asynchronous=False)

    def as_places(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        """Offsets by partition in the client library's form."""
        topic_id = self._topic_id()
        return [place_to_commit(self._topic, p, o, topic_id) for p, o in offsets.items()]

    def group_metadata(self) -> object:
        """The group membership as of now, for a transaction; goes stale with every rebalance."""
        return self._consumer.consumer_group_metadata()

    def group_places(self) -> dict[int, int]:
        """The group's place in every partition that it has one in, for one without partitions.

        Raises:
            BrokerError: The broker refused, or did not answer in time.
        """
        with translated("reading the group's place"):
            topic = self._consumer.list_topics(self._topic, timeout=_SLICE).topics[self._topic]
            everywhere = [TopicPartition(self._topic, p) for p in topic.partitions]
            places = self._consumer.committed(everywhere, timeout=_SLICE)
        topic_id = self._topic_id()
        return {
            place.partition: place.offset
            for place in places
            if place.offset >= 0 and not is_of_another(place, topic_id)
        }

    def ends(self) -> dict[int, int]:
        """The end of each partition that is ours, as the last answer of its broker gave it.

        Asks nobody. What has not been heard of yet is left out.
        """
        known = {
            p: self._consumer.get_watermark_offsets(TopicPartition(self._topic, p), cached=True)[1]
            for p in self.assigned
        }
        return {p: end for p, end in known.items() if end >= 0}

    def silence(self) -> float:
        """Seconds since a broker was last heard, some of which are normal where nothing happens."""
        return time.monotonic() - self._lookout.heard_at

    @property
    def cut_off(self) -> bool:
        """Whether the client says that no broker can be reached."""
        return self._connection.down

    def rewind(self, only: Collection[int] | None = None) -> dict[int, int]:
        """Go back to the group's place in every partition that is ours, or only in some.

        Reading does not go back by itself when a transaction is aborted.

        Returns:
            Where reading goes on, by partition; below 0 for the beginning.

        Raises:
            BrokerError: Given up, or the broker refused.
        """
        waiting = False
        self._replace_if_lost()
        while mine := self.assigned if only is None else self.assigned.intersection(only):
            partitions = [TopicPartition(self._topic, p) for p in sorted(mine)]
            try:
                with translated("going back to the group's place"):
                    found = self._consumer.committed(partitions, timeout=_SLICE)
                    places = [self._start(place) for place in found]
                self._move(places)
                return {place.partition: place.offset for place in places}
            except BrokerUnreachableError as error:
                if self._give_up():
                    raise
                if not waiting:
                    log.warning("place_unknown", topic=self._topic, retrying=True, error=str(error))
                waiting = True
                self._replace_if_lost()
                time.sleep(_PAUSE)
        return {}

    def _replace_if_lost(self) -> None:
        """Join anew with another client if ours has lost its brokers; its partitions are gone."""
        if self._hangs or self._lookout.is_lost(self._consumer):
            self._consumer = self._join()
            self._forget(set(self.assigned))
            log.warning("partitions_lost", topic=self._topic, partitions=[])

    def _start(self, place: TopicPartition) -> TopicPartition:
        """Where to read a partition from, given its committed place."""
        if place.error:
            raise KafkaException(place.error)
        offset = place.offset
        if is_of_another(place, self._topic_id()):
            offset = OFFSET_BEGINNING
        elif offset < 0:
            offset = self._starts.get(place.partition, OFFSET_BEGINNING)
        return TopicPartition(self._topic, place.partition, offset)

    def _move(self, places: list[TopicPartition]) -> None:
        # A seek is refused while a partition is only just being fetched; this never is.
        for place in places:
            self._next.pop(place.partition, None)
        with translated("moving to another offset"):
            self._consumer.incremental_unassign(places)
            self._consumer.incremental_assign(places)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for place in partitions:
            if place.partition in self._unread:
                place.offset = OFFSET_BEGINNING
        self._unread.difference_update(place.partition for place in partitions)
        consumer.incremental_assign(partitions)
        for place in partitions:
            self._next.pop(place.partition, None)
            self._started.discard(place.partition)
        self._joining = False
        self.rebalances += 1
        self.assigned |= {place.partition for place in partitions}
        log.info("partitions_assigned", topic=self._topic, partitions=sorted(self.assigned))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget({place.partition for place in partitions}, still_ours=True)
        consumer.incremental_unassign(partitions)
        log.info("partitions_revoked", topic=self._topic, partitions=sorted(self.assigned))

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget({place.partition for place in partitions})
        consumer.incremental_unassign(partitions)
        log.warning("partitions_lost", topic=self._topic, partitions=sorted(self.assigned))

    def _forget(self, partitions: set[int], *, still_ours: bool = False) -> None:
        self.before_loss(still_ours)
        self._lost_while_polling |= partitions
        self.rebalances += 1
        self.assigned -= partitions

    def close(self) -> None:
        """Leave the group, so that others take over at once; or leave it alone, if that hangs."""

        def finish_joining() -> None:
            """The embedded broker waits for ever for a member that left while it joined."""
            deadline = time.monotonic() + _JOIN
            while self._joining and time.monotonic() < deadline:
                self._consumer.poll(_PAUSE)

        leave(self._consumer, finish_joining, self._give_up, classic=self._classic)


def _is_of(message: Message, partitions: Collection[int]) -> bool:
    """Whether it is a record of these partitions, or says something of them alone."""
    error = message.error()
    is_of_one = error is None or error.code() in _OF_A_PARTITION
    return is_of_one and message.partition() in partitions

"""Topics, their offsets, and those of a group in them."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import structlog
from confluent_kafka import Consumer, IsolationLevel, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from churnstream.connection_settings import KafkaSettings
from churnstream.deadline import Deadline
from churnstream.errors import BrokerError, TopicMissingError
from churnstream.kafka.admin_client import SLICE, RetryingAdminClient
from churnstream.kafka.client import (
    KafkaException,
    TopicPartition,
    client_config,
    is_of_another,
    translated,
)
from churnstream.kafka.scan import Scan
from churnstream.kafka.topic_creation import TopicSpec, create_topics

log = structlog.get_logger(__name__)

_EMBEDDED_CLUSTER = "tansu_cluster"
_ONE_ANSWER = 3.0  # seconds that one question may keep a stop waiting; it is asked again
_ELECTION = 60.0  # seconds that a busy cluster may take to agree on a controller
_MAX_TRANSACTION = 30.0  # seconds: ours time out after 20
_BROKER_DEFAULT_BYTES = 1024 * 1024


class Admin:
    """Questions and orders to the cluster, each bounded in time.

    Args:
        give_up: Asked while waiting for an answer; True ends the wait.

    Raises:
        BrokerUnreachableError: On construction, if no broker answers in `startup_timeout`.
    """

    def __init__(
        self, settings: KafkaSettings, give_up: Callable[[], bool] = lambda: False
    ) -> None:
        self._settings, self._give_up = settings, give_up
        self._retrying = RetryingAdminClient(settings, give_up)
        cluster = self._retrying.cluster
        # The embedded broker accepts the calls of transactions but does not keep their promise,
        # and reports end offsets that are too low.
        self.embedded = cluster.cluster_id == _EMBEDDED_CLUSTER
        self.brokers = len(cluster.brokers)

    def partitions(self, topic: str) -> list[int]:
        """The topic's partitions, ascending.

        Raises:
            TopicMissingError: There is no such topic.
        """
        with self._retrying.request(f"describing topic {topic}"):
            topics = self._retrying.repeat(
                lambda: self._retrying.client.list_topics(timeout=SLICE).topics
            )
        found = topics.get(topic)
        if found is None or found.error is not None:
            self.topic_id(topic)  # the list leaves out what we may not see
            raise _missing(topic)
        return sorted(found.partitions)

    def topics(self) -> list[str]:
        """All topics that are there for us to see, but for the broker's own."""
        with self._retrying.request("listing topics"):
            topics = self._retrying.repeat(
                lambda: self._retrying.client.list_topics(timeout=SLICE).topics
            )
        return sorted(topic for topic in topics if not topic.startswith("__"))

    def topic_id(self, topic: str, timeout: float = _ELECTION) -> str:
        """The topic's identity, which changes when it is deleted and created again.

        Args:
            timeout: Seconds in which a cluster without a controller is asked again.
        """

        def ask() -> str:
            topics = TopicCollection([topic])
            request_timeout = min(timeout, _ONE_ANSWER)
            answers = self._retrying.client.describe_topics(topics, request_timeout=request_timeout)
            return str(answers[topic].result().topic_id)

        try:
            with self._retrying.request(f"describing topic {topic}", f"describe topic {topic}"):
                return self._retrying.repeat(ask, timeout)
        except TopicMissingError as error:
            raise _missing(topic) from error

    def create(self, topics: Iterable[TopicSpec]) -> dict[str, bool]:
        """Create what does not exist yet, and wait until it can be seen.

        A broker says yes once the controller has agreed, and may hear of the topic itself a moment
        later: whoever starts in between would not find it.

        Returns:
            By topic: whether it is new.
        """
        return create_topics(self._retrying.client, topics, self._is_there)

    def _is_there(self, topic: str) -> bool:
        try:
            self.partitions(topic)
        except TopicMissingError:
            return False
        except BrokerError:  # to create a topic does not take the right to look at it
            return True
        return True

    def earliest_offsets(self, topic: str) -> dict[int, int]:
        """The earliest offset that is still there, by partition."""
        return self._list_offsets(topic, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def latest_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the latest offset for read_committed: one past the last readable record."""
        reported = self._list_offsets(topic, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return self._read_to_end(topic, reported) if self.embedded else reported

    def latest_written_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the latest offset of all that is written, committed or not yet."""
        if self.embedded:
            return self.latest_offsets(topic)
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        return self._list_offsets(topic, latest, committed=False)

    def latest_settled_offsets(self, topic: str, *, whole: bool = False) -> dict[int, int]:
        """By partition, the latest offset of what is written now, once no transaction is open.

        A commit is confirmed to its process, and may be seen in one topic, before it is seen in
        all. What is still open after half a minute is reported and left out, unless `whole`.

        Raises:
            BrokerError: Something is still open, and `whole` was asked for.
        """
        written = self.latest_written_offsets(topic)
        if self.embedded:
            return written
        deadline = Deadline(_MAX_TRANSACTION)
        while True:
            latest = self.latest_offsets(topic)
            open_ = sorted(p for p, end in written.items() if latest.get(p, 0) < end)
            if not open_:
                return written
            if deadline.passed:
                if whole:
                    raise BrokerError(
                        f"a transaction in {topic} does not end; its process hangs, or was killed "
                        "just now: try again in a minute"
                    )
                log.warning("transaction_open", topic=topic, partitions=open_)
                return {p: min(end, latest.get(p, 0)) for p, end in written.items()}
            time.sleep(0.1)

    def offsets_at(self, topic: str, timestamp: datetime) -> dict[int, int]:
        """By partition, the first offset whose record is not older, else the latest offset."""
        if self.embedded:
            return self._look_for(topic, timestamp)
        at = OffsetSpec.for_timestamp(int(timestamp.timestamp() * 1000))
        found = self._list_offsets(topic, at)
        latest = self.latest_offsets(topic)
        return {p: offset if offset >= 0 else latest[p] for p, offset in found.items()}

    def _look_for(self, topic: str, timestamp: datetime) -> dict[int, int]:
        """The embedded broker does not look offsets up by time: read until they are found."""
        found: dict[int, int] = {}
        scan = Scan(self._settings, topic, self.earliest_offsets(topic), give_up=self._give_up)
        for batch in scan:
            for record in batch:
                if record.timestamp()[1] >= timestamp.timestamp() * 1000:
                    found.setdefault(record.partition() or 0, record.offset() or 0)
        return scan.reached | found

    def _list_offsets(
        self, topic: str, spec: OffsetSpec, *, committed: bool = True
    ) -> dict[int, int]:
        request = {TopicPartition(topic, p): spec for p in self.partitions(topic)}
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED

        def ask() -> dict[int, int]:
            answers = self._retrying.client.list_offsets(
                request, isolation_level=level, request_timeout=_ONE_ANSWER
            )
            return {position.partition: a.result().offset for position, a in answers.items()}

        with self._retrying.request(f"reading the offsets of {topic}", f"describe topic {topic}"):
            return self._retrying.repeat(ask)

    def _read_to_end(self, topic: str, reported: Mapping[int, int]) -> dict[int, int]:
        """The embedded broker reports the base of the last batch + 1: read on from there."""
        starts = {p: max(end - 1, 0) for p, end in reported.items()}
        scan = Scan(self._settings, topic, starts, give_up=self._give_up)
        for _ in scan:
            pass
        return scan.reached

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The group's committed offset by partition.

        Partitions without one are left out, and so are those whose offset is of an earlier topic of
        that name.
        """
        topic_id = self.topic_id(topic)
        found = self._committed_positions(group, topic)
        return {
            position.partition: position.offset
            for position in found
            if not is_of_another(position, topic_id)
        }

    def committed_before(self, group: str, topic: str) -> set[int]:
        """Partitions whose committed offset is of an earlier topic of that name.

        Waits for nobody: what a transaction is about to commit is of the topic as it is now.
        """
        topic_id = self.topic_id(topic)
        found = self._committed_positions(group, topic, stable=False)
        return {position.partition for position in found if is_of_another(position, topic_id)}

    def _committed_positions(
        self, group: str, topic: str, *, stable: bool = True
    ) -> list[TopicPartition]:
        everywhere = [TopicPartition(topic, p) for p in self.partitions(topic)]
        needs = [f"describe group {group}", f"describe topic {topic}"]
        with translated(f"reading the offsets of group {group}", needs):
            found = self._committed(group, everywhere, stable)
        return [position for position in found if position.offset >= 0]

    def _committed(
        self, group: str, positions: list[TopicPartition], stable: bool
    ) -> list[TopicPartition]:
        """Asked by a client that never joins; `stable` waits for transactions that move offsets."""
        level = "read_committed" if stable else "read_uncommitted"
        own = {"group.id": group, "isolation.level": level}
        client = Consumer(client_config(self._settings, own))

        def ask() -> list[TopicPartition]:
            try:
                return client.committed(positions, timeout=SLICE)
            except KafkaException as error:
                # Why there was no answer, as where a right is missing, is reported beside it.
                said = client.poll(0)
                why = said.error() if said else None
                raise KafkaException(why or error.args[0]) from error

        try:
            return self._retrying.repeat(ask, _MAX_TRANSACTION)
        finally:
            client.close()

    def max_record_bytes(self, topic: str) -> int:
        """The topic's `max.message.bytes`: the largest record batch that the broker takes."""
        return int(self._configuration(topic).get("max.message.bytes") or _BROKER_DEFAULT_BYTES)

    def cleanup_policy(self, topic: str) -> str:
        """The topic's `cleanup.policy`: "delete", "compact" or both; "" where nobody says.

        One that is compacted keeps the newest record of each key, and takes none without a key.
        """
        return self._configuration(topic).get("cleanup.policy") or ""

    def _configuration(self, topic: str) -> dict[str, str]:
        resource = ConfigResource(ResourceType.TOPIC, topic)

        def ask() -> dict[str, str]:
            answers = self._retrying.client.describe_configs(
                [resource], request_timeout=_ONE_ANSWER
            )
            return {name: entry.value for name, entry in answers[resource].result().items()}

        needs = f"describe configs of topic {topic}"
        with self._retrying.request(f"reading the configuration of {topic}", needs):
            return self._retrying.repeat(ask, _ELECTION)


def _missing(topic: str) -> TopicMissingError:
    return TopicMissingError(f"no topic {topic}; run: churnstream topics create")

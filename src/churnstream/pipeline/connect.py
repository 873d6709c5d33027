"""Wiring a consumer to its broker."""

import gc
from collections.abc import Callable, Mapping

import structlog

from churnstream.errors import ConfigurationError
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Connection
from churnstream.kafka.identity import TopicIdentity
from churnstream.kafka.reader import Reader
from churnstream.kafka.writer import MOST_BYTES, Writer
from churnstream.pipeline.consumer import Consumer
from churnstream.pipeline.dead_letters import SMALLEST_LIMIT
from churnstream.pipeline.delivery import AtLeastOnce, ExactlyOnce
from churnstream.pipeline.notices import Notice
from churnstream.pipeline.outcomes import note_beginning
from churnstream.pipeline.scoring import Batch, Scorer
from churnstream.pipeline.stop import Stop
from churnstream.pipeline.window import Window
from churnstream.settings import Settings

log = structlog.get_logger(__name__)


def _quiet_collector() -> None:
    """Keep the garbage collector from walking the libraries' heap again and again.

    What is alive by now stays alive, and a batch makes no cycles: looking for some after every 700
    records took more time than scoring them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _check_dead_letters_fit(topic: str, max_bytes: int, admin: Admin) -> None:
    """Find out before the first event what the topic would reject, or lose, later."""
    if max_bytes < SMALLEST_LIMIT:
        raise ConfigurationError(
            f"{topic} takes {max_bytes:,} bytes a record, too few for what a dead letter says; "
            f"set its max.message.bytes to {SMALLEST_LIMIT:,} or more"
        )
    if admin.is_compacted(topic):
        raise ConfigurationError(
            f"{topic} is compacted, which would remove dead letters and take none without a key; "
            "set its cleanup.policy to delete"
        )


def _unread(settings: Settings, admin: Admin) -> set[int]:
    """Partitions to read from their beginning: the group's place there is of an earlier topic."""
    topic = settings.topics.input
    partitions = admin.committed_before(settings.consumer.group, topic)
    if partitions:
        log.warning("topic_recreated", topic=topic, partitions=sorted(partitions))
    return partitions


def _before_publishing(
    settings: Settings, admin: Admin, topic: TopicIdentity, stop: Stop
) -> Callable[[], None]:
    """What to do before outcomes are published: see `TopicIdentity` and `note_beginning`."""
    noted: set[str] = set()

    def check_and_note() -> None:
        topic.check()
        if topic.topic_id not in noted:
            note_beginning(settings, admin, topic.topic_id, stop.overdue)
            noted.add(topic.topic_id)

    return check_and_note


def connect(
    settings: Settings,
    admin: Admin,
    scorer: Callable[[], Scorer],
    *,
    window: Window,
    starts: Mapping[int, int],
    stop: Stop,
    on_batch: Callable[[Batch], None],
    tell: Callable[[Notice], None] = lambda _: None,
) -> Consumer:
    """A consumer on the broker that `admin` speaks to, with the delivery it can keep.

    Raises:
        TopicMissingError: Input, output or dead-letter topic does not exist.
        ConfigurationError: The dead-letter topic cannot keep every dead letter.
        BrokerError: The broker refused.
    """
    own, topics = settings.consumer, settings.topics

    _quiet_collector()

    def check_topics() -> None:
        for topic in (topics.input, topics.output, topics.deadletter):
            admin.partitions(topic)

    check_topics()
    max_bytes = {name: admin.max_record_bytes(name) for name in (topics.output, topics.deadletter)}
    _check_dead_letters_fit(topics.deadletter, max_bytes[topics.deadletter], admin)
    exactly_once = own.delivery == "exactly-once" and not admin.embedded
    if own.delivery == "exactly-once" and admin.embedded:
        log.info("delivery_at_least_once", because="the embedded broker keeps no transactions")
    identity = f"churnstream.{own.group}.{own.instance}" if exactly_once else None
    topic = TopicIdentity(admin, topics.input)
    connection = Connection(settings.kafka.brokers)
    writer = Writer(
        settings.kafka,
        identity,
        max_bytes=min(max_bytes.values()),
        give_up=stop.overdue,
        connection=connection,
    )
    if exactly_once:
        # Before joining: ends the transaction of a predecessor that died, and fences it.
        writer.init_transactions()
    reader = Reader(
        settings.kafka,
        topics.input,
        own.group,
        topic_id=lambda: topic.topic_id,
        starts=starts,
        unread=_unread(settings, admin),
        protocol=own.group_protocol,
        embedded=admin.embedded,
        give_up=stop.overdue,
        connection=connection,
    )
    return Consumer(
        reader,
        (ExactlyOnce if exactly_once else AtLeastOnce)(reader, writer, topics),
        scorer,
        window,
        group=own.group,
        batch_size=own.batch_size,
        most_letter_bytes=min(max_bytes[topics.deadletter], MOST_BYTES),
        max_prediction_bytes=min(max_bytes[topics.output], MOST_BYTES),
        explained=own.reasons,
        check_topics=check_topics,
        before_publishing=_before_publishing(settings, admin, topic, stop),
        on_batch=on_batch,
        tell=tell,
    )

"""Wiring a consumer to its broker."""

import gc
from collections.abc import Callable, Mapping
from typing import NamedTuple

import structlog

from churnstream.codecs.registry_values import RegistryValues
from churnstream.errors import ConfigurationError
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Connection
from churnstream.kafka.group_offsets import GroupOffsets
from churnstream.kafka.producer_client import MAX_BYTES
from churnstream.kafka.reader import Reader
from churnstream.kafka.starting_offsets import StartingOffsets
from churnstream.kafka.writer import Writer
from churnstream.pipeline.batch_publisher import BatchPublisher
from churnstream.pipeline.consumer import Consumer
from churnstream.pipeline.consumer_notices import Notice
from churnstream.pipeline.dead_letter_headers import SMALLEST_LIMIT
from churnstream.pipeline.decoding import registry_values
from churnstream.pipeline.delivery import AtLeastOnce, Delivery, ExactlyOnce
from churnstream.pipeline.encoding import prediction_encoder
from churnstream.pipeline.flow_topics import FlowTopics
from churnstream.pipeline.offset_window import OffsetWindow
from churnstream.pipeline.schema_wait import SchemaWait
from churnstream.pipeline.scoring import BatchScorer, ModelInUse
from churnstream.pipeline.stop_signal import StopSignal
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


class _MaxBytes(NamedTuple):
    """The largest records that the topics of outcomes take."""

    prediction: int
    dead_letter: int


def _checked_limits(settings: Settings, admin: Admin) -> _MaxBytes:
    """What the topics of outcomes take; those that could not keep them are found out here."""
    names = settings.topics
    limits = _MaxBytes(
        admin.max_record_bytes(names.output), admin.max_record_bytes(names.deadletter)
    )
    _check_dead_letters_fit(names.deadletter, limits.dead_letter, admin)
    if names.newest is None:
        return limits
    _check_keeps_newest(names.newest, settings.kafka.brokers, admin)
    newest = admin.max_record_bytes(names.newest)
    return limits._replace(prediction=min(limits.prediction, newest))


def _check_dead_letters_fit(topic: str, max_bytes: int, admin: Admin) -> None:
    """Find out before the first event what the topic would reject, or lose, later."""
    if max_bytes < SMALLEST_LIMIT:
        raise ConfigurationError(
            f"{topic} takes {max_bytes:,} bytes a record, too few for what a dead letter says; "
            f"set its max.message.bytes to {SMALLEST_LIMIT:,} or more"
        )
    if "compact" in admin.cleanup_policy(topic):
        raise ConfigurationError(
            f"{topic} is compacted, which would remove dead letters and take none without a key; "
            "set its cleanup.policy to delete"
        )


def _check_keeps_newest(topic: str, brokers: str, admin: Admin) -> None:
    """Say what is wrong with the topic of newest predictions, and the command that mends it."""
    policy = admin.cleanup_policy(topic)
    if policy not in ("compact", ""):
        log.warning(
            "newest_not_compacted",
            topic=topic,
            cleanup_policy=policy,
            because="it removes predictions by their age, the newest of a customer too",
            mend=f"kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics "
            f"--entity-name {topic} --add-config cleanup.policy=compact",
        )


def _unread(settings: Settings, admin: Admin) -> set[int]:
    """Partitions to read from the earliest offset: the committed one is of another topic."""
    topic = settings.topics.input
    partitions = admin.committed_before(settings.consumer.group, topic)
    if partitions:
        log.warning("topic_recreated", topic=topic, partitions=sorted(partitions))
    return partitions


def connect(
    settings: Settings,
    admin: Admin,
    models: ModelInUse,
    *,
    window: OffsetWindow,
    starts: Mapping[int, int],
    stop: StopSignal,
    listener: Callable[[Notice], None] = lambda _: None,
) -> Consumer:
    """A consumer on the broker that `admin` speaks to, with the delivery it can keep.

    Raises:
        TopicMissingError: Input, output, newest or dead-letter topic does not exist.
        ConfigurationError: The dead-letter topic cannot keep every dead letter.
        BrokerError: The broker rejected it.
    """
    own, names = settings.consumer, settings.topics
    _quiet_collector()
    topics = FlowTopics(settings, admin, stop)
    limits = _checked_limits(settings, admin)
    values = registry_values(settings, models.current().schema.source, stop.requested)
    scorer = _scorer(settings, models, limits, values, stop)
    connection = Connection(settings.kafka.brokers)
    writer = _writer(settings, admin, min(limits), stop, connection)
    offsets = GroupOffsets(names.input, topics.identity)
    reader = Reader(
        settings.kafka,
        names.input,
        own.group,
        offsets,
        StartingOffsets(starts, _unread(settings, admin)),
        protocol=own.group_protocol,
        embedded=admin.embedded,
        give_up=stop.overdue,
        connection=connection,
    )
    delivery: Delivery = AtLeastOnce(reader, writer, names)
    if writer.is_transactional:
        delivery = ExactlyOnce(offsets, writer, names)
    publisher = BatchPublisher(delivery, topics)
    return Consumer(
        reader,
        publisher,
        scorer,
        topics,
        window,
        schemas=SchemaWait(values),
        batch_size=own.batch_size,
        listener=listener,
    )


def _scorer(
    settings: Settings,
    models: ModelInUse,
    limits: _MaxBytes,
    values: RegistryValues | None,
    stop: StopSignal,
) -> BatchScorer:
    return BatchScorer(
        models,
        group=settings.consumer.group,
        max_dead_letter_bytes=min(limits.dead_letter, MAX_BYTES),
        max_prediction_bytes=min(limits.prediction, MAX_BYTES),
        explained=settings.consumer.reasons,
        opened=values,
        encode=prediction_encoder(settings, models.current().schema, stop.requested),
    )


def _writer(
    settings: Settings, admin: Admin, max_bytes: int, stop: StopSignal, connection: Connection
) -> Writer:
    """Where outcomes go; with transactions where they are asked for and the broker keeps them."""
    own = settings.consumer
    exactly_once = own.delivery == "exactly-once" and not admin.embedded
    if own.delivery == "exactly-once" and admin.embedded:
        log.info("delivery_at_least_once", because="the embedded broker keeps no transactions")
    writer = Writer(
        settings.kafka,
        f"churnstream.{own.group}.{own.instance}" if exactly_once else None,
        max_bytes=max_bytes,
        give_up=stop.overdue,
        connection=connection,
    )
    if exactly_once:
        # Before joining: ends the transaction of a predecessor that died, and fences it.
        writer.init_transactions()
    return writer

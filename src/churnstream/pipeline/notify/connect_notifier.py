"""Wiring a notifier to its broker, and finding out at the start whether it can work."""

import structlog

from churnstream.errors import ConfigurationError, TopicMissingError
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Connection
from churnstream.kafka.group_offsets import GroupOffsets
from churnstream.kafka.producer_client import MAX_BYTES
from churnstream.kafka.reader import Reader
from churnstream.kafka.scan import Scan
from churnstream.kafka.starting_offsets import StartingOffsets
from churnstream.kafka.topic_identity import TopicIdentity
from churnstream.kafka.writer import Record, Writer
from churnstream.pipeline.decoding import predictions_as_json
from churnstream.pipeline.delivery import AtLeastOnce, Delivery, ExactlyOnce
from churnstream.pipeline.notify.courier import IN_FLIGHT, Courier
from churnstream.pipeline.notify.notified_topic import known_customers
from churnstream.pipeline.notify.notifier import Notifier, NotifyCounts
from churnstream.pipeline.notify.risk_changes import AtRisk
from churnstream.pipeline.notify.webhook import Webhook
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.schema.schema import Schema
from churnstream.settings import Settings

log = structlog.get_logger(__name__)

_SMALLEST_LIMIT = 256 * 1024  # bytes of a record: a refused notification with its customer's ID


def group_of(settings: Settings) -> str:
    """The consumer group that reads predictions to notify of them."""
    return f"{settings.consumer.group}.notify"


def connect_notifier(
    settings: Settings, schema: Schema, counts: NotifyCounts, stop: StopSignal
) -> Notifier:
    """A notifier on the broker of the settings, once everything is seen to be there.

    Args:
        schema: Of the predictions.
        counts: It keeps up to date.
        stop: Ends waiting for the broker.

    Raises:
        TopicMissingError: The topic of predictions or of notified customers does not exist.
        ConfigurationError: No address is set, or the topic would not keep what is needed.
        BrokerError: A right is missing, or the broker cannot be reached.
    """
    names = settings.topics
    webhook = Webhook(settings.notify, IN_FLIGHT)
    admin = Admin(settings.kafka, stop.requested)
    _check_topics(settings, admin)
    connection = Connection(settings.kafka.brokers)
    writer = _writer(settings, admin, stop, connection)
    offsets = GroupOffsets(names.output, TopicIdentity(admin, names.output))
    unread = admin.committed_before(group_of(settings), names.output)
    reader = Reader(
        settings.kafka,
        names.output,
        group_of(settings),
        offsets,
        StartingOffsets({}, unread),
        protocol=settings.consumer.group_protocol,
        embedded=admin.embedded,
        give_up=stop.overdue,
        connection=connection,
    )
    kept = names.model_copy(update={"output": names.notified, "newest": None})
    delivery: Delivery = AtLeastOnce(reader, writer, kept)
    if writer.is_transactional:
        delivery = ExactlyOnce(offsets, writer, kept)
    return Notifier(
        reader,
        delivery,
        Courier(webhook, counts.add),
        AtRisk(schema, names.input, predictions_as_json(settings)),
        lambda partitions: known_customers(settings, admin, partitions),
        counts,
        interval=settings.log.interval,
    )


def _check_topics(settings: Settings, admin: Admin) -> None:
    names = settings.topics
    admin.partitions(names.output)
    try:
        admin.partitions(names.notified)
    except TopicMissingError as error:
        raise TopicMissingError(f"{error} --notified") from error
    if not admin.embedded and "compact" not in admin.cleanup_policy(names.notified):
        raise ConfigurationError(
            f"{names.notified} is not compacted, so that it would forget whom it was told of; set "
            "its cleanup.policy to compact"
        )
    if (limit := admin.max_record_bytes(names.notified)) < _SMALLEST_LIMIT:
        raise ConfigurationError(
            f"{names.notified} takes {limit:,} bytes a record, too few for a notification that is "
            f"kept; set its max.message.bytes to {_SMALLEST_LIMIT:,} or more"
        )
    for topic in (names.output, names.notified):  # may they be read?
        for _ in Scan(settings.kafka, topic, admin.latest_offsets(topic)):
            pass


def _writer(settings: Settings, admin: Admin, stop: StopSignal, connection: Connection) -> Writer:
    """Where the state of customers goes, tried with a record that says nothing."""
    own, topic = settings.consumer, settings.topics.notified
    is_transactional = own.delivery == "exactly-once" and not admin.embedded
    writer = Writer(
        settings.kafka,
        f"churnstream.{own.group}.{own.instance}.notify" if is_transactional else None,
        max_bytes=min(admin.max_record_bytes(topic), MAX_BYTES),
        give_up=stop.overdue,
        connection=connection,
    )
    nothing: Record = {"key": b"", "value": None}
    if is_transactional:
        writer.init_transactions()
        writer.begin()
        writer.send(topic, [nothing])
        writer.commit()
    else:
        writer.send(topic, [nothing])
        writer.flush()
    return writer

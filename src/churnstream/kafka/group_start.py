"""Where a group that has read nothing of a topic begins."""

import structlog
from confluent_kafka import Consumer

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import BrokerError
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import client_config, offset_to_commit, translated

log = structlog.get_logger(__name__)


def begin_at_end(settings: KafkaSettings, admin: Admin, group: str, topic: str) -> None:
    """Let a group that is new to a topic begin with what is written from now on.

    The offsets are committed before anything else happens: whoever is killed a moment later goes on
    there. One of the group that does the same at the same time may win; the ends are asked for
    before anybody is seen to have begun, so no later one can pass over what the first one owes.

    Raises:
        BrokerError: The broker rejected it, or did not answer in time.
    """
    ends, topic_id = admin.latest_offsets(topic), admin.topic_id(topic)
    if admin.committed(group, topic) or admin.committed_before(group, topic):
        return
    positions = [offset_to_commit(topic, p, end, topic_id) for p, end in ends.items()]
    needs = [f"read group {group}", f"read topic {topic}"]
    config = client_config(settings, {"group.id": group, "enable.auto.commit": False})
    try:
        with translated(f"committing offsets of group {group}", needs):
            client = Consumer(config)
            try:
                client.commit(offsets=positions, asynchronous=False)
            finally:
                client.close()
    except BrokerError:
        if not admin.committed(group, topic):
            raise
    else:
        log.info("notifying_begins", topic=topic, offsets=ends)

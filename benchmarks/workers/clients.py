"""The very settings that churnstream gives its clients, for those it is compared with."""

from typing import Any
from unittest import mock

from churnstream.connection_settings import KafkaSettings
from churnstream.kafka import producer_client
from churnstream.kafka.client import Connection
from churnstream.kafka.consumer_config import consumer_config
from churnstream.kafka.writer import Writer


def consumer_settings(kafka: KafkaSettings, group: str, *, embedded: bool) -> dict[str, Any]:
    """Of its consumer, in librdkafka's names."""
    own = consumer_config(kafka, group, "classic", Connection(kafka.brokers), embedded=embedded)
    # Churnstream answers an unknown offset and a partition's end itself; others need not.
    return own | {"auto.offset.reset": "earliest", "enable.partition.eof": False}


def producer_settings(kafka: KafkaSettings, identity: str | None = None) -> dict[str, Any]:
    """Of its producer; transactional with an identity."""
    with mock.patch.object(producer_client, "Producer") as client:
        Writer(kafka, identity)
    own: dict[str, Any] = client.call_args.args[0]
    return own

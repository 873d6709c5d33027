"""The very settings that churnstream gives its clients, for those it is compared with."""

from typing import Any
from unittest import mock

from churnstream.kafka import reader, writer
from churnstream.settings import KafkaSettings


def consumer_settings(kafka: KafkaSettings, topic: str, group: str, **more: Any) -> dict[str, Any]:
    """Of its consumer, in librdkafka's names."""
    with mock.patch.object(reader, "Consumer") as client:
        reader.Reader(kafka, topic, group, **more)
    own: dict[str, Any] = client.call_args.args[0]
    # Churnstream answers an unknown place and a partition's end itself; others need not.
    return own | {"auto.offset.reset": "earliest", "enable.partition.eof": False}


def producer_settings(kafka: KafkaSettings, identity: str | None = None) -> dict[str, Any]:
    """Of its producer; transactional with an identity."""
    with mock.patch.object(writer, "Producer") as client:
        writer.Writer(kafka, identity)
    own: dict[str, Any] = client.call_args.args[0]
    return own

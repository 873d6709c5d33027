"""The configuration of a consumer in a group."""

from typing import Any

from churnstream.connection_settings import KafkaSettings
from churnstream.kafka.client import Connection, client_config

_FETCHED_AHEAD_KB = 16 * 1024
# A consumer that died is missed after six heartbeats that did not come, and its events wait for
# that: so do those of one that is back after an outage, whose earlier membership is missed first.
# The client sends them from a thread of its own, so work never holds them up. Less than 6 s brokers
# do not allow.
_SESSION = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000}
# Against the embedded broker a join takes half of the session timeout.
_EMBEDDED_SESSION = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}


def consumer_config(
    settings: KafkaSettings, group: str, protocol: str, connection: Connection, *, embedded: bool
) -> dict[str, Any]:
    """Librdkafka properties of a consumer that commits only what it is asked to.

    Args:
        protocol: "classic", or "consumer" for KIP-848.
        connection: Told when all brokers are gone.
    """
    own: dict[str, object] = {
        "group.id": group,
        "group.protocol": protocol,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        # A lost offset is an error that we hear of, report, and answer by starting over.
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        # What is fetched ahead: a tenth of a second. By default the client sleeps for a second
        # whenever its queue was full, which halved the rate.
        "queued.max.messages.kbytes": _FETCHED_AHEAD_KB,
        "fetch.queue.backoff.ms": 10,
        # Partitions that are added are found within so many milliseconds.
        "topic.metadata.refresh.interval.ms": 30_000,
    }
    if protocol == "classic":
        own["partition.assignment.strategy"] = "cooperative-sticky"
        own |= _EMBEDDED_SESSION if embedded else _SESSION
    return client_config(settings, own, connection)

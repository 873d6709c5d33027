"""Connection settings, and the client library's errors in our words."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from churnstream.config import KafkaSettings
from churnstream.errors import (
    AbortableError,
    BrokerError,
    BrokerUnreachableError,
    ConfigurationError,
    FencedError,
    TopicMissingError,
)

__all__ = ["KafkaError", "KafkaException", "Message", "TopicPartition", "client_config"]

log = structlog.get_logger(__name__)

# The client's own lines are for debugging; what an operator must know is logged by us.
_client_log = logging.getLogger("churnstream.kafka.client")

_UNREACHABLE = {
    KafkaError._TRANSPORT,  # the library's public constants
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
}
_MISSING = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
_FENCED = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
}


def client_config(settings: KafkaSettings, own: Mapping[str, object]) -> dict[str, Any]:
    """Librdkafka properties of a client: ours, then the user's, which win.

    Args:
        settings: The connection; `settings.client` may hold any librdkafka property.
        own: What this kind of client needs.
    """
    return {
        "bootstrap.servers": settings.brokers,
        "client.id": "churnstream",
        "logger": _client_log,
        "error_cb": _Connection().on_error,
        **own,
        **settings.client,
    }


class _Connection:
    """Says once that the brokers are gone, not at every attempt of the client's back-off."""

    def __init__(self) -> None:
        self._down = False

    def on_error(self, error: KafkaError) -> None:
        all_down = error.code() == KafkaError._ALL_BROKERS_DOWN
        if all_down and not self._down:
            log.warning("broker_unreachable", error=error.str(), retrying=True)
        self._down = self._down or all_down


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the client library's exceptions into the tree of `churnstream.errors`.

    Args:
        doing: What was attempted, as the beginning of "… failed: …".
    """
    try:
        yield
    except KafkaException as error:
        raise to_error(error.args[0], doing) from error


def to_error(error: KafkaError, doing: str) -> BrokerError | ConfigurationError:
    """The exception for an error code, with what to do next."""
    code, text = error.code(), error.str()
    if code in _FENCED:
        return FencedError(f"{doing} failed: a newer process uses the same --instance ({text})")
    if error.txn_requires_abort():
        return AbortableError(f"{doing} failed: {text}")
    if code in _MISSING:
        return TopicMissingError(f"{doing} failed: {text}; run: churnstream topics create")
    if code in _UNREACHABLE:
        return BrokerUnreachableError(f"{doing} failed: no answer from the broker ({text})")
    if code == KafkaError._INVALID_ARG:
        return ConfigurationError(f"{doing} failed: {text}; see kafka.client in the settings")
    return BrokerError(f"{doing} failed: {text}")

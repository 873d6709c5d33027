"""Connection settings, and the client library's errors in our words."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import methodcaller
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import (
    AbortableError,
    BrokerError,
    BrokerUnreachableError,
    ConfigurationError,
    FencedError,
    RecordRejectedError,
    RightMissingError,
    SequenceLostError,
    TopicMissingError,
    TransactionEndedError,
)
from churnstream.kafka.properties import check_properties

__all__ = ["KafkaError", "KafkaException", "Message", "TopicPartition", "client_config"]

log = structlog.get_logger(__name__)

Headers = list[tuple[str, bytes | None]]

# The client's own lines are for debugging; what an operator must know is logged by us.
_client_log = logging.getLogger("churnstream.kafka.client")

_STALE = 5.0  # seconds after an outage
UNREACHABLE = {
    KafkaError._TRANSPORT,  # the library's public constants
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    # Somebody is there, but nobody is in charge yet.
    KafkaError._WAIT_COORD,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}
_MISSING = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
_REJECTED = {
    KafkaError.MSG_SIZE_TOO_LARGE: "it is above max.message.bytes of its topic, which a restart "
    "reads anew",
    KafkaError.INVALID_TIMESTAMP: "see message.timestamp.before.max.ms and after.max.ms of its "
    "topic, and the clocks of this machine and of the broker's",
    KafkaError.INVALID_RECORD: "a compacted topic takes none without a key",
}
_FORBIDDEN = {  # of what kind the resource is
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "transactional id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "cluster",
}
# The client asks for the group of each reader, also of one that never joins it.
OF_A_GROUP = {KafkaError.GROUP_AUTHORIZATION_FAILED}
_FENCED = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
}
_OUT_OF_SEQUENCE = {KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, KafkaError.UNKNOWN_PRODUCER_ID}


def client_config(
    settings: KafkaSettings, own: Mapping[str, object], connection: "Connection | None" = None
) -> dict[str, Any]:
    """Librdkafka properties of a client: ours, then the user's, which win.

    Args:
        settings: The connection; `settings.client` may hold any librdkafka property.
        own: What this kind of client needs.
        connection: Told when all brokers are gone.

    Raises:
        ConfigurationError: One of the user's properties could break a guarantee.
    """
    check_properties(settings.client)
    return {
        "bootstrap.servers": settings.brokers,
        "client.id": "churnstream",
        # Back at work soon after a broker is; the client's own limit is 10 s.
        "reconnect.backoff.max.ms": 1000,
        # A network may swallow what is sent, and a connection through it is dead without a word.
        "socket.timeout.ms": 6_000,
        "socket.connection.setup.timeout.ms": 3_000,
        "logger": _client_log,
        "error_cb": (connection or Connection(settings.brokers)).on_error,
        **own,
        **settings.client,
    }


def require_valid(settings: KafkaSettings) -> None:
    """Let the library look at the properties now, where clients are made only later.

    Raises:
        ConfigurationError: It knows no such property, or takes no such value.
    """
    with translated("reading the settings"):
        Consumer(client_config(settings, {"group.id": "churnstream"})).close()


class Connection:
    """Says once that the brokers are gone, and once that they are back.

    The client itself speaks up at every attempt of its back-off.

    Args:
        brokers: Where they are looked for.

    Attributes:
        down: Whether they are gone.
    """

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers
        self.down = False
        self._recovered_at = float("-inf")

    def on_error(self, error: KafkaError) -> None:
        """Take note of an error that concerns the client as a whole."""
        # Another client of the process may still have the last outage to report.
        is_stale = time.monotonic() - self._recovered_at < _STALE
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self.down and not is_stale:
            self.down = True
            log.warning(
                "broker_unreachable", brokers=self.brokers, error=error.str(), retrying=True
            )

    def on_progress(self) -> None:
        """Take note that a broker answered."""
        if self.down:
            self.down = False
            self._recovered_at = time.monotonic()
            log.info("broker_reachable_again")


@contextmanager
def translated(doing: str, needs: Sequence[str] = ()) -> Iterator[None]:
    """Turn the client library's exceptions into the tree of `churnstream.errors`.

    Args:
        doing: What was attempted, as the beginning of "… failed: …".
        needs: See `to_error`.
    """
    try:
        yield
    except KafkaException as error:
        raise to_error(error.args[0], doing, needs) from error


def to_error(
    error: KafkaError, doing: str, needs: Sequence[str] = ()
) -> BrokerError | ConfigurationError:
    """The exception for an error code, with what to do next.

    Args:
        doing: What was attempted, as the beginning of "… failed: …".
        needs: The rights that it takes, as "read topic telco.raw.customers"; the broker only says
            of what kind the resource is.

    The order is that of librdkafka's transactional API: what is fatal first, then what asks for
    an abort. Errors that would come back after every abort count as fatal.
    """
    code, text = error.code(), " ".join(error.str().split())
    kind: type[BrokerError] = BrokerError
    advice = ""
    if code in _REJECTED:
        kind, advice = RecordRejectedError, f"; {_REJECTED[code]}"
    elif code in _FORBIDDEN:
        return RightMissingError(f"{doing} failed: {_missing_right(code, needs)} ({text})")
    elif code in _FENCED:
        kind, advice = FencedError, "; a newer process uses the same identity, see --instance"
    elif code in _OUT_OF_SEQUENCE:
        kind = SequenceLostError
    elif code == KafkaError.INVALID_TXN_STATE:
        kind = TransactionEndedError
    elif error.txn_requires_abort():
        kind = AbortableError
    elif code in _MISSING:
        kind, advice = TopicMissingError, "; run: churnstream topics create"
    elif code in UNREACHABLE:
        kind, advice = BrokerUnreachableError, "; is the broker up?"
    elif code == KafkaError._INVALID_ARG:
        return ConfigurationError(f"{doing} failed: {text}; see kafka.client in the settings")
    return kind(f"{doing} failed: {text}{advice}")


_WITH_ID = "churnstream:"


def offset_to_commit(topic: str, partition: int, offset: int, topic_id: str) -> TopicPartition:
    """An offset to commit, which says of which topic of that name it is."""
    return TopicPartition(topic, partition, offset, metadata=_WITH_ID + topic_id)


def is_of_another(position: TopicPartition, topic_id: str) -> bool:
    """Whether a committed offset is of an earlier topic of that name; False if it does not say."""
    said = position.metadata or ""
    return said.startswith(_WITH_ID) and said != _WITH_ID + topic_id


def _missing_right(code: int, needs: Sequence[str]) -> str:
    """Words for the right that is missing; see docs/kafka_guide.md for all that are needed."""
    kind = _FORBIDDEN[code]
    fitting = [right for right in needs if f" {kind} " in right]
    return f"no right to {' or '.join(fitting) if fitting else f'this {kind}'}"


# Looking at records is a large part of what scoring them costs; `map` over the client's own methods
# is the cheapest way to.
def positions_of(records: Sequence[Message]) -> tuple[list[int], list[int]]:
    """Partitions and offsets of records that were read, in their order."""
    partitions, offsets = map(Message.partition, records), map(Message.offset, records)
    return list(partitions), list(offsets)  # type: ignore[arg-type]


def contents_of(records: Sequence[Message]) -> tuple[list[bytes | None], list[bytes | None]]:
    """Values and keys of records, in their order."""
    return list(map(Message.value, records)), keys_of(records)


def keys_of(records: Sequence[Message]) -> list[bytes | None]:
    """Their keys."""
    return list(map(Message.key, records))


# Called like this, Python notices an error at once; after some thousand calls written as usual it
# does not look any more, and the error comes up somewhere else.
_read_headers = methodcaller("headers")
# Told from other empty lists by its identity.
_unreadable: list[tuple[str, str | bytes | None]] = []


def headers_of(record: Message) -> Headers | None:
    """The headers of a record that was read; None if they cannot be passed on as they are.

    Kafka takes any bytes as a name. The client library fails on those that are no UTF-8, and ends
    the process if it is asked for them twice; and it would cut a name at a null byte.
    """
    try:
        found = _read_headers(record)
    except (SystemError, UnicodeError):
        record.set_headers(_unreadable)
        return None
    if found is _unreadable:
        return None
    pairs = found.items() if isinstance(found, dict) else found or []
    headers = [(name, v.encode() if isinstance(v, str) else v) for name, v in pairs]
    return None if any("\0" in name for name, _ in headers) else headers

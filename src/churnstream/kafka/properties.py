"""Which properties of the client library a user may set, and why not the others.

A property that is neither in `REJECTED` nor in `LIMITS` is the user's: TLS, SASL, and tuning that
costs speed at worst. Of those in `LIMITS` no value within the limits can make work stand still.
"""

import re
from collections.abc import Mapping

from churnstream.errors import ConfigurationError

_COMMITS = "what is committed, and when, is decided by the guarantee of delivery alone"
_SENT = "a record that was not confirmed by every replica in sync could be lost, doubled or moved"
_TIME_LIMIT = "a record would be dropped for its age, however often it is sent again"
_CODE = "it takes a function of a program, and is no setting"
_VERSION = "transactions and timestamps need what brokers say of their version"
_MEMORY = "nobody reads what it collects, so memory would grow"

_WHY = {
    "it is the setting kafka.brokers (--broker)": "bootstrap.servers metadata.broker.list",
    "it is the setting consumer.group (--group)": "group.id",
    "it is the setting consumer.group_protocol (--group-protocol)": "group.protocol",
    "it follows from consumer.group and consumer.instance": "transactional.id",
    "a consumer that stops would keep its partitions until its session times out": (
        "group.instance.id"
    ),
    "partitions are handed over one by one (cooperative-sticky), by all consumers of a group": (
        "partition.assignment.strategy group.protocol.type"
    ),
    "under a name that a broker does not know, nothing would ever be read": "group.remote.assignor",
    "a new group begins with the first event, and events that are gone are reported": (
        "auto.offset.reset"
    ),
    _COMMITS: """
        auto.commit.enable auto.commit.interval.ms enable.auto.commit enable.auto.offset.store
        offset.store.method offset.store.path offset.store.sync.interval.ms
    """,
    "outcomes of transactions that were rolled back would be read": "isolation.level",
    "the end of a window is known by it": "enable.partition.eof",
    _SENT: """
        acks request.required.acks enable.idempotence message.send.max.retries retries
        enable.gapless.guarantee queuing.strategy
    """,
    _TIME_LIMIT: "delivery.timeout.ms message.timeout.ms",
    "a key has to land where every other Kafka client puts it (murmur2_random)": "partitioner",
    "a record that a topic rejects is known by it": (
        "delivery.report.only.error enabled_events dr_cb dr_msg_cb on_delivery"
    ),
    "a topic rejects a batch that is larger than its max.message.bytes": "batch.size",
    "a topic with a mistyped name would be created": "allow.auto.create.topics",
    "a topic of the flow would be hidden": "topic.blacklist",
    "a client that has lost all its brokers would never look for them again": (
        "metadata.recovery.strategy"
    ),
    "it follows from topic.metadata.refresh.interval.ms, three times": "metadata.max.age.ms",
    "requests and answers would get out of step": "socket.max.fails",
    _VERSION: "api.version.request api.version.fallback.ms broker.version.fallback",
    "signals are what churnstream is stopped by": "internal.termination.signal",
    _MEMORY: "enable_sasl_queue log.queue statistics.interval.ms",
    "it brings foreign code into the process": "plugin.library.paths interceptors",
    "it would talk to a made-up cluster": "test.mock.num.brokers test.mock.broker.rtt",
    "properties of topics go beside the others, as in -X compression.type=zstd": (
        "default.topic.config default_topic_conf"
    ),
    _CODE: """
        background_event_cb closesocket_cb connect_cb consume_cb error_cb log_cb logger
        msg_order_cmp oauth_cb oauthbearer_token_refresh_cb offset_commit_cb on_commit opaque
        open_cb partitioner_cb rebalance_cb resolve_cb socket_cb ssl.certificate.verify_cb ssl_ca
        ssl_certificate ssl_engine_callback_data ssl_key stats_cb throttle_cb
    """,
}
REJECTED = {name: why for why, names in _WHY.items() for name in names.split()}

# Milliseconds, bytes or counts: minimum, maximum, and what is beyond.
LIMITS = {
    "session.timeout.ms": (3_000, 300_000, "events of a consumer that died wait so long"),
    "heartbeat.interval.ms": (1, 3_000, "a consumer would be taken for dead"),
    "max.poll.interval.ms": (60_000, 86_400_000, "a slow commit would cost the partitions"),
    "transaction.timeout.ms": (1_000, 20_000, "readers wait so long for what a dead process left"),
    "request.timeout.ms": (1_000, 900_000, "no broker would answer in time"),
    "socket.timeout.ms": (1_000, 300_000, "no broker would answer in time"),
    "api.version.request.timeout.ms": (1_000, 300_000, "no broker would answer in time"),
    "reconnect.backoff.ms": (0, 10_000, "work would go on late after an outage"),
    "reconnect.backoff.max.ms": (0, 10_000, "work would go on late after an outage"),
    "metadata.recovery.rebootstrap.trigger.ms": (
        10_000,
        2**31 - 1,
        "connections would be given up in the middle of a transaction",
    ),
    "retry.backoff.ms": (1, 1_000, "a transaction would time out between two attempts"),
    "retry.backoff.max.ms": (1, 10_000, "a transaction would time out between two attempts"),
    "fetch.wait.max.ms": (0, 5_000, "the end of a topic would be known late"),
    "fetch.min.bytes": (1, 1_048_576, "few events would wait for more"),
    "fetch.queue.backoff.ms": (0, 1_000, "reading would pause"),
    "fetch.error.backoff.ms": (0, 10_000, "reading would pause"),
    "topic.metadata.refresh.interval.ms": (10, 300_000, "new partitions would be found late"),
    "topic.metadata.propagation.max.ms": (0, 30_000, "a missing topic would be noticed late"),
    "queue.buffering.max.ms": (0, 1_000, "events would be sent late"),
    "linger.ms": (0, 1_000, "events would be sent late"),
    "queue.buffering.max.messages": (1_000, 2**31 - 1, "a batch would not be sent in time"),
    "queue.buffering.max.kbytes": (4_096, 2**31 - 1, "a large record would never be sent"),
    "receive.message.max.bytes": (100_000_000, 2**31 - 1, "a broker's answer has to fit"),
    "message.max.bytes": (2_097_152, 10**9, "a dead letter has to fit with its headers"),
}
_NAME = re.compile(r"[a-z0-9_.]+", re.IGNORECASE | re.ASCII)
_WHOLE = re.compile(r"-?\d{1,15}", re.ASCII)


def check_properties(properties: Mapping[str, str | int | float | bool]) -> None:
    """Reject what could break a guarantee, before a client is made of it.

    Raises:
        ConfigurationError: One of them must not be set, or not to this value; says which and why.
    """
    for name, value in properties.items():
        if problem := _problem(name, value):
            raise ConfigurationError(f"kafka.client must not set {problem}")


def _problem(name: str, value: str | int | float | bool) -> str:
    """What is wrong with a property, beginning with its name; empty if nothing is."""
    plain = name
    while plain.startswith("topic.") and plain not in REJECTED | LIMITS:
        plain = plain.removeprefix("topic.")  # the library's other way to name those of topics
    if not _NAME.fullmatch(name):
        return f"{name!a}: it is no name of a property"
    if why := REJECTED.get(plain):
        return f"{name}: {why}"
    if _cannot_be_passed_on(str(value)):
        return f"{name} to a text with a null byte or of an unknown encoding"
    if plain in LIMITS and not _is_within(plain, str(value)):
        minimum, maximum, why = LIMITS[plain]
        return f"{name} to anything but a whole number from {minimum} to {maximum}: {why}"
    return ""


def _cannot_be_passed_on(text: str) -> bool:
    """The library takes UTF-8, and would end a text at its first null byte."""
    return any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def _is_within(name: str, text: str) -> bool:
    minimum, maximum, _ = LIMITS[name]
    return bool(_WHOLE.fullmatch(text)) and minimum <= int(text) <= maximum

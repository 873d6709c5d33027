"""Events of a given size, and topics full of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from uuid import uuid4

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.brokers import Broker
from churnstream.codecs.customer_rows import open_rows
from churnstream.codecs.event_encoder import EncodedEvents, encode_events
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema import schema_file

SCHEMA = schema_file.read(schema_file.TELCO_FILE)
SIZE = 540  # bytes of an event where nothing else is said

_BUNDLED = 7_043
_CHUNK = 10_000
_WAIT = 30.0


class Topics(msgspec.Struct, frozen=True):
    """The topics of one flow."""

    input: str
    output: str
    deadletter: str


def bundled() -> EncodedEvents:
    """The events of all bundled customers."""
    rows = next(open_rows(None, SCHEMA).batches(_BUNDLED))
    return encode_events(rows, SCHEMA, datetime.now(UTC))


def of_size(size: int) -> EncodedEvents:
    """Events of about `size` bytes.

    At the usual size these are real customers: those with the longest events, as many as have
    `size` bytes on average. Larger ones carry an extra field of text, as a richer source would
    send. The smallest leave out the label, the part of a second and most of the name: no valid
    event is shorter than some 440 bytes.
    """
    events = bundled()
    if size < min(map(len, events.values)):
        return _smallest(events)
    pairs = sorted(zip(events.values, events.keys, strict=True), key=lambda p: -len(p[0]))
    longest = max(len(value) for value, _ in pairs)
    if size > longest:
        return _padded(events, size)
    total = count = 0
    for value, _ in pairs:
        if count and (total + len(value)) / (count + 1) < size:
            break
        total, count = total + len(value), count + 1
    return EncodedEvents([k for _, k in pairs[:count]], [v for v, _ in pairs[:count]])


def _padded(events: EncodedEvents, size: int) -> EncodedEvents:
    values = [
        value[:-1] + b',"notes":"' + b"x" * (size - len(value) - 11) + b'"}'
        for value in events.values
    ]
    return EncodedEvents(events.keys, values)


def _smallest(events: EncodedEvents) -> EncodedEvents:
    rows = sorted(
        (msgspec.json.decode(value) for value in events.values), key=lambda r: len(str(r))
    )
    names = (*SCHEMA.columns, EVENT_TS)
    small = []
    for number, row in enumerate(rows[:100]):
        row |= {"customerID": str(number), "event_ts": "2026-01-01T00:00:00Z"}
        small.append({name: row[name] for name in names})
    keys: list[bytes | None] = [row["customerID"].encode() for row in small]
    return EncodedEvents(keys, [msgspec.json.encode(row) for row in small])


def create_topic(broker: Broker, kind: str, partitions: int = 3, keep_bytes: int = -1) -> str:
    """A new topic with a name of its own.

    Args:
        keep_bytes: By partition, how much the broker keeps at least; -1 for all.
    """
    name = f"bench.{kind}.{uuid4().hex[:8]}"
    config = {"retention.bytes": str(keep_bytes)}
    if keep_bytes > 0:
        config["segment.bytes"] = str(keep_bytes // 2)
    topic = NewTopic(name, partitions, 1, config=config)
    admin = _admin(broker)  # its end would end the request
    admin.create_topics([topic])[name].result(_WAIT)
    while name not in admin.list_topics(timeout=_WAIT).topics:  # created, but not yet known
        time.sleep(0.05)
    return name


def delete_topics(broker: Broker, names: list[str]) -> None:
    """Make room again."""
    admin = _admin(broker)
    for future in admin.delete_topics(names).values():
        future.result(_WAIT)


def _admin(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.address, "log_level": 3})


def fill(broker: Broker, topic: str, events: EncodedEvents, count: int) -> None:
    """Send `count` records, the events over and over."""
    _send(_producer(broker), topic, events, count)


def fill_unseen(
    broker: Broker, topic: str, events: EncodedEvents, count: int
) -> Callable[[], None]:
    """Send records that nobody sees until the returned function is called."""
    producer = _producer(broker, {"transactional.id": f"bench.{topic}"})
    producer.init_transactions(_WAIT)
    producer.begin_transaction()
    _send(producer, topic, events, count)
    return lambda: producer.commit_transaction(_WAIT)


def _producer(broker: Broker, more: dict[str, str] | None = None) -> Producer:
    """Such batches as a busy producer sends, never more than the broker takes."""
    return Producer(
        {
            "bootstrap.servers": broker.address,
            "linger.ms": 20,
            "acks": "all",
            "partitioner": "murmur2_random",
            "delivery.report.only.error": True,
            "queue.buffering.max.kbytes": 128 * 1024,
            **(more or {}),
        }
    )


def _send(producer: Producer, topic: str, events: EncodedEvents, count: int) -> None:
    left = _records(events, count)
    while chunk := list(islice(left, _CHUNK)):
        while chunk:
            producer.produce_batch(topic, chunk)
            chunk = [record for record in chunk if record.pop("_error", None) is not None]
            producer.poll(0.05 if chunk else 0)
    if producer.flush(120):
        raise TimeoutError(f"{topic} could not be filled")


def _records(events: EncodedEvents, count: int) -> Iterator[dict[str, object]]:
    pairs = list(zip(events.keys, events.values, strict=True))
    for number in range(count):
        key, value = pairs[number % len(pairs)]
        yield {"key": key, "value": value}

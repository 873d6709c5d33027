"""What a topic will not take of one record holds up no other."""

from __future__ import annotations

import time

import pytest
from chaos.flow import SESSION, Flow
from chaos.records import good_records
from chaos.watch import until
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from raw_records import send_with_header_name

pytest_plugins = ["chaos.fixtures"]

HOUR = 3_600_000
DAY = 24 * HOUR
ANY_TIME = {
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "message.timestamp.after.max.ms": str(2**63 - 1),
}


def now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def configure(flow: Flow, topic: str, **rules: str) -> None:
    """Change a topic's own rules."""
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for name, value in rules.items()
    ]
    resource = ConfigResource("TOPIC", topic, incremental_configs=entries)
    admin = flow.watch.admin
    admin.incremental_alter_configs([resource])[resource].result(30)


def send_stamped(flow: Flow, *timestamps: int) -> None:
    """Write broken records with these timestamps, each between two good events of now."""
    producer = Producer({"bootstrap.servers": flow.servers, "log_level": 0})
    good = good_records(len(timestamps) + 1)
    for i, (key, value) in enumerate(good):
        producer.produce(flow.input, value, key, partition=0)
        if i < len(timestamps):
            producer.produce(flow.input, b"broken", b"key", partition=0, timestamp=timestamps[i])
    assert producer.flush(30) == 0


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_timestamps_that_the_dead_letter_topic_rejects(flow: Flow, delivery: str) -> None:
    """Records from the future and from long ago become dead letters, and all others are scored."""
    configure(flow, flow.input, **ANY_TIME)
    configure(flow, flow.dead_letters, message_timestamp_before_max_ms=str(HOUR))
    stamps = [now() + 2 * HOUR, now() - 8 * DAY, 1, 2**62, -62_200_000_000_000]
    send_stamped(flow, *stamps)
    began = now()

    flow.run_batch("--delivery", delivery)

    assert flow.audit().complete
    dead_letters = flow.watch.read(flow.dead_letters)
    assert [dict(r.headers() or [])["churnstream.timestamp"] for r in dead_letters] == [
        str(stamp).encode() for stamp in stamps
    ]
    assert all(began - 1000 <= dead_letter.timestamp()[1] <= now() for dead_letter in dead_letters)


def test_a_replay_restores_timestamps(flow: Flow) -> None:
    """What is sent back is the record as it was, its time included."""
    configure(flow, flow.input, **ANY_TIME)
    stamps = [now() + 2 * HOUR, now() - 8 * DAY]
    send_stamped(flow, *stamps)
    flow.run_batch()

    flow.run("dead-letters", "replay")

    back = [event.timestamp for event in flow.events() if event.key == b"key"]
    assert back == stamps * 2


def test_a_replay_leaves_out_what_the_topic_no_longer_takes(flow: Flow) -> None:
    """Of many dead letters those that the topic rejects are counted, and the others sent back."""
    configure(flow, flow.input, **ANY_TIME)
    old = now() - 8 * DAY
    send_stamped(flow, *(now(), old, now(), now(), old, now(), now()))
    flow.run_batch()
    configure(flow, flow.input, message_timestamp_before_max_ms=str(DAY))

    first, again = (flow.run("dead-letters", "replay").output.splitlines() for _ in range(2))

    assert first[0] == "5 dead letters sent back"
    assert first[1].startswith(f"2 left alone: {flow.input} does not take them back")
    assert again[0] == "0 dead letters sent back"
    assert sum(event.key == b"key" for event in flow.events()) == 7 + 5


def test_a_replay_writes_to_no_topic_that_a_header_names(flow: Flow) -> None:
    """A dead letter of another topic, or a forged one, is counted and left alone."""
    send_stamped(flow, now(), now())
    flow.run_batch()
    forged = next(iter(flow.watch.read(flow.dead_letters)))
    names = dict(forged.headers() or [])
    names["__connect.errors.topic"] = b"no.such.topic"
    producer = Producer({"bootstrap.servers": flow.servers, "log_level": 0})
    producer.produce(flow.dead_letters, forged.value(), forged.key(), headers=names)
    assert producer.flush(30) == 0

    said = flow.run("dead-letters", "replay").output.splitlines()

    assert said[0] == "2 dead letters sent back"
    assert said[1].startswith("1 left alone: they are of other topics")


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_small_records_fit_into_a_topic_for_small_records(flow: Flow, delivery: str) -> None:
    """A limit that each record keeps is kept by the batches that they are sent in, too."""
    configure(flow, flow.output, max_message_bytes="4000")
    configure(flow, flow.input, max_message_bytes="4000")
    flow.run("produce", "--mode", "batch")

    flow.run_batch("--delivery", delivery)

    assert flow.audit().complete


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_a_prediction_that_its_topic_would_not_take(flow: Flow, delivery: str) -> None:
    """A customer with an endless name becomes a dead letter, and all around it are scored."""
    configure(flow, flow.output, max_message_bytes="10000")
    (key, value), *_ = good_records(1)
    long = b"C" * 50_000
    producer = Producer({"bootstrap.servers": flow.servers, "log_level": 0})
    producer.produce(flow.input, value, key, partition=0)
    producer.produce(flow.input, value.replace(key, long), long, partition=0)
    producer.produce(flow.input, value, key, partition=0)
    assert producer.flush(30) == 0

    flow.run_batch("--delivery", delivery)

    assert flow.audit().complete
    assert [position.offset for position in flow.rejected()] == [1]


def test_a_dead_letter_topic_that_would_lose_dead_letters(flow: Flow) -> None:
    """A compacted topic is told at the start, with what to do, before anything is scored."""
    configure(flow, flow.dead_letters, cleanup_policy="compact")
    send_stamped(flow, now())

    process = flow.run("consume", "--mode", "batch", "--model", str(flow.model), code=2)

    assert process.last_words.startswith(f"Error: {flow.dead_letters} is compacted")
    assert flow.audit().in_flight == 3


def test_a_dead_letter_topic_with_room_for_nothing(flow: Flow) -> None:
    """A limit below what a dead letter says of its record is told at the start."""
    configure(flow, flow.dead_letters, max_message_bytes="500")

    process = flow.run("consume", "--mode", "batch", "--model", str(flow.model), code=2)

    assert process.last_words.startswith(f"Error: {flow.dead_letters} takes 500 bytes a record")


def test_a_clock_that_is_wrong_is_named(flow: Flow) -> None:
    """Where the topic rejects whatever this machine writes, one line says so; nothing loops."""
    configure(flow, flow.output, message_timestamp_before_max_ms="1")
    consumer = flow.consume(0, *SESSION)
    send_stamped(flow, now())

    assert consumer.wait(60) == 1
    assert "message.timestamp" in consumer.last_words
    assert "clock" in consumer.last_words


def test_a_header_name_that_is_no_text(flow: Flow) -> None:
    """A record whose header has any bytes as its name is rejected like others; nothing stops."""
    consumer = flow.consume(0, *SESSION)
    send_with_header_name(flow.servers, flow.input, b"\xff\xfe", value=b"broken", key=b"key")
    send_stamped(flow, now())
    until(lambda: flow.is_scored, 60, "every event is scored")
    consumer.stop()

    assert consumer.code == 0, consumer.last_words
    assert flow.audit().complete
    assert len(flow.rejected()) == 2
    assert flow.run("dead-letters", "list").code == 0

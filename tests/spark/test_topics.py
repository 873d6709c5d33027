"""Topics scored on Spark: as by a consumer, and each event once over any number of runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster
from confluent_kafka import Consumer, Message, Producer
from lake import churnstream
from msgspec import json
from pyarrow import parquet
from standalone import Said, Standalone

RAW, SCORED, DEAD = "telco.raw.customers", "telco.churn.predictions", "telco.deadletter"
CUSTOMERS = 7043
NO_CUSTOMERS = (b"no JSON", b"", b'{"customerID": "1"}')
Position = tuple[int, int]
_OF_ORIGINAL = ("partition", "offset", "exception.message")


@pytest.fixture
def broker(kafka: Cluster) -> str:
    """With all bundled customers in the topic, a transaction that was aborted, and no customers."""
    address = kafka.bootstrap_servers
    churnstream("topics", "create", "--broker", address)
    churnstream("produce", "--mode", "batch", "--no-resume", "--broker", address)
    aborted = Producer({"bootstrap.servers": address, "transactional.id": "aborted"})
    aborted.init_transactions()
    aborted.begin_transaction()
    send(aborted, [b"{}"] * 100)
    aborted.abort_transaction()
    send(Producer({"bootstrap.servers": address}), NO_CUSTOMERS)
    return address


def send(producer: Producer, values: Any) -> None:
    """Send records into the topic of customers."""
    for value in values:
        producer.produce(RAW, value, b"1")
    producer.flush()


def read(broker: str, topic: str) -> Iterator[Message]:
    """The records of a topic that are there."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": "look",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([topic])
    left = len(consumer.list_topics(topic).topics[topic].partitions)
    while left:
        message = consumer.poll(60)
        assert message is not None
        if message.error():
            left -= 1
        else:
            yield message
    consumer.close()


def consumed(broker: str, place: Path) -> dict[Position, tuple[float | None, str | None]]:
    """What a consumer says of each event: its probability, or why it has none."""
    churnstream("consume", "--mode", "batch", "--broker", broker, "--model", place / "model")
    found: dict[Position, tuple[float | None, str | None]] = {}
    for message in read(broker, SCORED):
        said = json.decode(message.value() or b"")
        position = said["source_partition"], said["source_offset"]
        found[position] = said["churn_probability"], None
    for message in read(broker, DEAD):
        headers: dict[str, bytes] = dict(message.headers() or [])  # type: ignore[arg-type]
        at, offset, why = (headers[f"__connect.errors.{name}"].decode() for name in _OF_ORIGINAL)
        found[int(at), int(offset)] = None, why
    return found


def test_a_topic_is_scored_as_by_a_consumer(
    broker: str, standalone: Standalone, kafka_jars: str, place: Path, tmp_path: Path
) -> None:
    """A run takes what is there, the next one what came since: the same outcomes as a consumer's.

    What a transaction wrote that was aborted is no event.
    """
    out = tmp_path / "out"

    def run() -> Said:
        words = ["--model", place / "model", "--topic", RAW, "--broker", broker]
        words += ["--output", out, "--checkpoint", tmp_path / "checkpoint"]
        said = standalone.run(*words, jars=kafka_jars)
        assert said.code == 0, said.err
        return said

    rejected = f"{len(NO_CUSTOMERS)} rejected (column error)\n"
    assert run().out == f"{CUSTOMERS:,} rows scored into {out}, {rejected}"
    send(Producer({"bootstrap.servers": broker}), [b"later"])
    with pytest.raises(AssertionError, match="none of the 1 rows can be scored"):
        run()

    rows = parquet.read_table(out).to_pylist()
    found = {
        (row["partition"], row["offset"]): (row["churn_probability"], row["error"]) for row in rows
    }
    assert len(rows) == len(found) == CUSTOMERS + len(NO_CUSTOMERS) + 1
    assert found == consumed(broker, place)
    assert all(row["customerID"].encode() == row["key"] for row in rows if not row["error"])

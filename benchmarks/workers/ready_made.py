"""The producer's limit: a loop that sends ready-made bytes with `produce_batch`.

The same client with the same settings; the bytes exist before the measurement begins. Three
cadences: `stream` never waits, `flush` waits for the broker after every batch, `transaction`
makes every batch a transaction.
"""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

from confluent_kafka import Producer

from benchmarks.events import SIZE, of_size
from benchmarks.workers.clients import producer_settings
from benchmarks.workers.meter import Meter, task, wait_for_go
from churnstream.connection_settings import KafkaSettings


def batches(size: int) -> Iterator[list[Any]]:
    """Records without end."""
    events = of_size(SIZE)
    pairs = cycle(zip(events.keys, events.values, strict=True))
    while True:
        yield [{"key": key, "value": value} for key, value in islice(pairs, size)]


def send(producer: Producer, topic: str, records: list[Any]) -> None:
    """Hand all of them to the client, waiting while its buffer is full."""
    while records:
        producer.produce_batch(topic, records)
        records = [record for record in records if record.pop("_error", None) is not None]
        producer.poll(0.1 if records else 0)


def main() -> None:
    """Send as many records as asked for."""
    asked = task()
    cadence = asked["variant"]
    kafka = KafkaSettings(brokers=asked["broker"], client=asked["client"])
    transactional = cadence == "transaction"
    producer = Producer(producer_settings(kafka, asked["input"] if transactional else None))
    source = batches(asked["batch_size"])
    meter = Meter(asked["warmup"], asked["events"])
    wait_for_go()
    if transactional:
        producer.init_transactions()
    done = False
    while not done:
        records = next(source)
        if transactional:
            producer.begin_transaction()
        send(producer, asked["input"], records)
        if transactional:
            producer.commit_transaction()
        elif cadence == "flush":
            producer.flush()
        done = meter.add(len(records))
    producer.flush()
    meter.report()


if __name__ == "__main__":
    main()

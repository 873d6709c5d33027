"""The limit: consume an event, produce a record of a prediction's size without looking at it.

The same client as churnstream, with the same settings, polls, batches and commits. The record takes
over the event's key, since a prediction belongs into its customer's partition.
"""

from typing import Any

from confluent_kafka import Consumer, Message, Producer

from benchmarks.workers.clients import consumer_settings, producer_settings
from benchmarks.workers.meter import Meter, task, wait_for_go
from churnstream.connection_settings import KafkaSettings

_VALUE = b"x" * 240


def poll(consumer: Consumer, most: int) -> list[Message]:
    """Wait for a record, then take what has arrived with it."""
    first = consumer.poll(0.5)
    if first is None:
        return []
    return [first, *consumer.consume(most - 1, timeout=0)]


def send(producer: Producer, topic: str, messages: list[Message]) -> None:
    """One record for each message."""
    records: list[Any] = [{"key": message.key(), "value": _VALUE} for message in messages]
    producer.produce_batch(topic, records)
    producer.poll(0)


def at_least_once(
    consumer: Consumer, producer: Producer, topic: str, messages: list[Message]
) -> None:
    """Records first, then the place."""
    send(producer, topic, messages)
    producer.flush()
    consumer.commit(asynchronous=False)


def exactly_once(
    consumer: Consumer, producer: Producer, topic: str, messages: list[Message]
) -> None:
    """Records and place in one transaction."""
    producer.begin_transaction()
    send(producer, topic, messages)
    places = consumer.position(consumer.assignment())
    producer.send_offsets_to_transaction(
        [place for place in places if place.offset >= 0], consumer.consumer_group_metadata()
    )
    producer.commit_transaction()


def main() -> None:
    """Pass on as many events as asked for."""
    asked = task()
    kafka = KafkaSettings(brokers=asked["broker"], client=asked["client"])
    transactional = asked["delivery"] == "exactly-once"
    consumer = Consumer(consumer_settings(kafka, asked["group"], embedded=asked["embedded"]))
    producer = Producer(producer_settings(kafka, asked["group"] if transactional else None))
    publish = exactly_once if transactional else at_least_once
    wait_for_go()
    if transactional:
        producer.init_transactions()
    consumer.subscribe([asked["input"]])
    meter = Meter(asked["warmup"], asked["events"], asked["sample_every"])
    done = False
    while not done:
        if messages := poll(consumer, asked["batch_size"]):
            publish(consumer, producer, asked["output"], messages)
            done = meter.add(len(messages))
    consumer.close()
    meter.report()


if __name__ == "__main__":
    main()

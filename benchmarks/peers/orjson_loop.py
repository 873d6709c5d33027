"""The plain loop: poll, then an event at a time; written as one would write it by hand."""

from datetime import UTC, datetime
from typing import Any

import orjson
from confluent_kafka import Consumer, Message, Producer

from benchmarks.peers.exported_model import ExportedModel
from benchmarks.workers.meter import Meter, task, wait_for_go


def main() -> None:
    """Score as many events as asked for."""
    asked = task()
    exactly = asked["delivery"] == "exactly-once"
    model = ExportedModel(asked["exported"])
    own: dict[str, Any] = {
        "bootstrap.servers": asked["broker"],
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "delivery.report.only.error": True,
    }
    producer = Producer(own | ({"transactional.id": asked["group"]} if exactly else {}))
    consumer = Consumer(
        {
            "bootstrap.servers": asked["broker"],
            "group.id": asked["group"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,  # by default it would stand still half of the time
        }
    )
    meter = Meter(asked["warmup"], asked["events"])
    wait_for_go()
    if exactly:
        producer.init_transactions()
    consumer.subscribe([asked["input"]])
    done = False
    while not done:
        messages = consumer.consume(asked["batch_size"], timeout=0.05)
        if not messages:
            continue
        if exactly:
            producer.begin_transaction()
        for message in messages:
            value = prediction(model, message)
            producer.produce(asked["output"], key=message.key(), value=value)
        if exactly:
            offsets = [p for p in consumer.position(consumer.assignment()) if p.offset >= 0]
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
            producer.commit_transaction()
        else:
            producer.flush()
            consumer.commit(asynchronous=False)
        done = meter.add(len(messages))
    consumer.close()
    meter.report()


def prediction(model: ExportedModel, message: Message) -> bytes:
    """Of one event."""
    event = orjson.loads(message.value())
    probability, answer = model.score(event)
    return orjson.dumps(
        {
            "customerID": event["customerID"],
            "churn_probability": probability,
            "prediction": answer,
            "event_ts": event["event_ts"],
            "processed_ts": datetime.now(UTC),
            "model_version": model.version,
            "source_partition": message.partition(),
            "source_offset": message.offset(),
        }
    )


if __name__ == "__main__":
    main()

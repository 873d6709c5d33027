"""A plain kafka-python loop with a model call per event."""

import json

from benchmarks.peers.pipeline import PerEvent
from benchmarks.workers.meter import Meter, task, wait_for_go
from kafka import KafkaConsumer, KafkaProducer


def main() -> None:
    """Score as many events as asked for."""
    asked = task()
    score = PerEvent(asked["model"]).score
    consumer = KafkaConsumer(
        asked["input"],
        bootstrap_servers=asked["broker"],
        group_id=asked["group"],
        auto_offset_reset="earliest",
    )
    producer = KafkaProducer(bootstrap_servers=asked["broker"])
    meter = Meter(asked["warmup"], asked["events"])
    wait_for_go()
    for message in consumer:
        prediction = score(json.loads(message.value))
        producer.send(asked["output"], key=message.key, value=json.dumps(prediction).encode())
        if meter.add(1):
            break
    producer.flush()
    consumer.close()
    meter.report()


if __name__ == "__main__":
    main()

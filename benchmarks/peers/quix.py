"""Quix Streams, with the exported model."""

from datetime import UTC, datetime
from typing import Any

from quixstreams import Application, message_context

from benchmarks.peers.exported_model import ExportedModel
from benchmarks.workers.meter import Meter, task, wait_for_go


def main() -> None:
    """Score as many events as asked for."""
    asked = task()
    model = ExportedModel(asked["exported"])
    app = Application(
        broker_address=asked["broker"],
        consumer_group=asked["group"],
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="ERROR",
    )
    meter = Meter(asked["warmup"], asked["events"])

    def count(*_: object) -> None:
        if meter.add(1):
            app.stop()

    def prediction(event: dict[str, Any]) -> dict[str, Any]:
        probability, answer = model.score(event)
        context = message_context()
        return {
            "customerID": event["customerID"],
            "churn_probability": probability,
            "prediction": answer,
            "event_ts": event["event_ts"],
            "processed_ts": datetime.now(UTC).isoformat(),
            "model_version": model.version,
            "source_partition": context.partition,
            "source_offset": context.offset,
        }

    flow = app.dataframe(app.topic(asked["input"], value_deserializer="json"))
    flow = flow.apply(prediction)
    flow.to_topic(app.topic(asked["output"], value_serializer="json")).update(count)
    wait_for_go()
    app.run()
    meter.report()


if __name__ == "__main__":
    main()

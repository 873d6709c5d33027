"""Quix Streams: without a model, or with a model call per event."""

from quixstreams import Application

from benchmarks.peers.pipeline import PerEvent
from benchmarks.workers.meter import Meter, task, wait_for_go


def main() -> None:
    """Pass on or score as many events as asked for."""
    asked = task()
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

    flow = app.dataframe(app.topic(asked["input"], value_deserializer="json"))
    if asked["variant"] == "model":
        flow = flow.apply(PerEvent(asked["model"]).score)
    flow.to_topic(app.topic(asked["output"], value_serializer="json")).update(count)
    wait_for_go()
    app.run()
    meter.report()


if __name__ == "__main__":
    main()

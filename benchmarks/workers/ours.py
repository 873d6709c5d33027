"""Churnstream's own consumer, wired as `churnstream consume` wires it."""

from pathlib import Path
from typing import Any

from benchmarks.workers.meter import Meter, task, wait_for_go
from churnstream.connection_settings import KafkaSettings, SchemaRegistrySettings
from churnstream.kafka.admin import Admin
from churnstream.model.manifest import load
from churnstream.model.scorer import Model
from churnstream.observability.instrumentation import instrumented_consumer
from churnstream.observability.logs import configure
from churnstream.pipeline.connect import connect
from churnstream.pipeline.consumer_notices import Committed, Notice
from churnstream.pipeline.offset_window import OffsetWindow
from churnstream.pipeline.scoring import Batch
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.settings import ConsumerSettings, MetricsSettings, Settings, TopicSettings


class InUse:
    """A model that is never replaced."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def current(self) -> Model:
        """It, always."""
        return self._model


def settings(asked: dict[str, Any]) -> Settings:
    """What the command line would make of the flags."""
    return Settings(
        kafka=KafkaSettings(brokers=asked["broker"], client=asked["client"]),
        topics=TopicSettings(
            input=asked["input"], output=asked["output"], deadletter=asked["deadletter"]
        ),
        consumer=ConsumerSettings(
            group=asked["group"],
            instance=asked["instance"],
            delivery=asked["delivery"],
            batch_size=asked["batch_size"],
            reasons=asked["reasons"],
        ),
        metrics=MetricsSettings(port=asked["metrics_port"] or None),
        schema_registry=SchemaRegistrySettings(url=asked["registry"] or None),
    )


def main() -> None:
    """Score as many events as asked for."""
    asked = task()
    configure("warning", "console")
    own = settings(asked)
    admin = Admin(own.kafka)
    model = load(Path(asked["model"]))
    stop = StopSignal()
    stop.listen()
    meter = Meter(asked["warmup"], asked["events"], asked["sample_every"])
    rejected = 0

    def count(batch: Batch) -> None:
        nonlocal rejected
        rejected += len(batch.rejected)
        if meter.add(len(batch)):
            stop.request()

    def listen(notice: Notice) -> None:
        instruments.on_notice(notice)
        if isinstance(notice, Committed) and len(notice.batch):
            count(notice.batch)

    wait_for_go()
    with instrumented_consumer(own) as instruments:
        instruments.use_model(model)
        connect(
            own,
            admin,
            InUse(model),
            window=OffsetWindow(),
            starts={},
            stop=stop,
            listener=listen,
        ).run(stop)
    meter.report(rejected=rejected)


if __name__ == "__main__":
    main()

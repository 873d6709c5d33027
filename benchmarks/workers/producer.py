"""Churnstream's producer: batch mode, or streaming mode as fast as it can."""

from pathlib import Path
from typing import Any

from benchmarks.events import SCHEMA
from benchmarks.workers.meter import Meter, task, wait_for_go
from churnstream.codecs.customer_rows import open_rows
from churnstream.connection_settings import KafkaSettings
from churnstream.kafka.admin import Admin
from churnstream.kafka.writer import Writer
from churnstream.observability.logs import configure
from churnstream.pipeline.event_forms import JsonEvents
from churnstream.pipeline.producer import batch_sink, produce_batch, produce_streaming
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.settings import ProducerSettings, Settings, TopicSettings


def batch(own: Settings, meter: Meter) -> None:
    """Send a file."""
    stop, sent = StopSignal(), 0

    def count(done: int) -> None:
        nonlocal sent
        if meter.add(done - sent):
            stop.request()
        sent = done

    rows = open_rows(own.producer.dataset, SCHEMA)
    sink = batch_sink(own, Admin(own.kafka), rows, stop)
    size = own.producer.batch_size
    form = JsonEvents(SCHEMA)
    produce_batch(rows, form, sink, batch_size=size, resume=False, stop=stop, on_rows=count)


def streaming(own: Settings, meter: Meter) -> None:
    """Send random customers at a rate."""
    stop, sent = StopSignal(), 0

    def count(done: int) -> None:
        nonlocal sent
        if meter.add(done - sent):
            stop.request()
        sent = done

    produce_streaming(
        open_rows(own.producer.dataset, SCHEMA),
        JsonEvents(SCHEMA),
        Writer(own.kafka),
        own.topics.input,
        rate=own.producer.events_per_sec,
        seed=1,
        max_events=None,
        duration=own.producer.duration,
        stop=stop,
        on_rows=count,
    )


def settings(asked: dict[str, Any]) -> Settings:
    """What the command line would make of the flags."""
    folder = Path(asked["dataset"]).parent
    return Settings(
        kafka=KafkaSettings(brokers=asked["broker"], client=asked["client"]),
        topics=TopicSettings(input=asked["input"], checkpoint=asked["output"]),
        producer=ProducerSettings(
            dataset=asked["dataset"],
            batch_size=asked["batch_size"],
            events_per_sec=asked["rate"] or 1.0,
            duration=60,
            checkpoint_file=folder / "checkpoint.json",
        ),
    )


def main() -> None:
    """Send as many events as asked for."""
    asked = task()
    configure("error", "console")
    own = settings(asked)
    meter = Meter(asked["warmup"], asked["events"])
    wait_for_go()
    (streaming if asked["variant"] == "streaming" else batch)(own, meter)
    meter.report()


if __name__ == "__main__":
    main()

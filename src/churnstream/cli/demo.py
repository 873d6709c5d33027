"""demo: the whole flow in one go."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.customer_source import rows_of
from churnstream.cli.progress_bar import progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from churnstream.codecs.customer_rows import CustomerRows
    from churnstream.kafka.admin import Admin
    from churnstream.settings import Settings

_DEAD_LETTERS = Path("reports/dead-letters.jsonl")


@click.command()
@click.option("--keep", is_flag=True, help="Leave the broker running afterwards, until Ctrl-C.")
@options.schema
@options.dataset
@options.model_folder
@options.summary
@options.with_settings
def demo(settings: Settings, keep: bool) -> None:
    """The whole flow on an embedded broker: train, produce, score, summary.

    Sends every customer and one record of each broken kind, and shows what became of them.

    \b
    Example: churnstream demo
    """
    # Its libraries take seconds to import and may swallow an interrupt, which must stop the broker.
    import churnstream.model.train  # noqa: F401
    from churnstream.analysis.result_files import require_writable
    from churnstream.cli.window_results import try_summary
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.stop_signal import StopSignal
    from churnstream.pipeline.topic_layout import create
    from churnstream.testing.embedded import embedded_broker

    rows = rows_of(settings)
    try_summary(settings)
    require_writable(_DEAD_LETTERS)
    # A plain SIGTERM would end us without stopping the broker.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _interrupt)
    with embedded_broker() as address, _interrupted_once():
        kafka = settings.kafka.model_copy(update={"brokers": address})
        consumer = settings.consumer.model_copy(update={"mode": "batch"})
        settings = settings.model_copy(update={"kafka": kafka, "consumer": consumer})
        _say(f"broker ready at {address}")
        admin = Admin(kafka)
        created = create(admin, settings)
        _say(f"topics created: {', '.join(created)}")
        _train(settings)
        _produce(settings, rows, admin)
        _score(settings, admin)
        if keep:
            stop = StopSignal()
            stop.listen()
            click.echo(f"the broker keeps running at {address}; stop it with Ctrl-C, look with:")
            click.echo(f"  churnstream dead-letters list --broker {address}")
            click.echo(f"  churnstream topics describe --broker {address}")
            stop.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.alarm(1)  # and again, should a library that we are in the middle of swallow this one
    raise KeyboardInterrupt


@contextlib.contextmanager
def _interrupted_once() -> Iterator[None]:
    """Leave the broker's end in peace once the interrupt has come through."""
    try:
        yield
    finally:
        signal.alarm(0)


def _say(what: str) -> None:
    click.echo(f"{click.style('✓', fg='green')} {what}")


def _train(settings: Settings) -> None:
    from churnstream.cli.train import train_and_save

    begin = time.monotonic()
    manifest = train_and_save(settings)
    _say(
        f"model {manifest.version} trained in {time.monotonic() - begin:.0f} s, "
        f"test ROC AUC {manifest.test.roc_auc:.3f}"
    )


def _produce(settings: Settings, rows: CustomerRows, admin: Admin) -> None:
    from churnstream.codecs.event_encoder import encode_events
    from churnstream.kafka.writer import Record, Writer
    from churnstream.pipeline.checkpoint import CheckpointKey, FileSink
    from churnstream.pipeline.event_forms import JsonEvents
    from churnstream.pipeline.producer import produce_batch
    from churnstream.pipeline.stop_signal import StopSignal
    from churnstream.testing.broken_records import broken_records

    writer = Writer(settings.kafka)
    topic = settings.topics.input
    first = encode_events(next(rows.batches(1)), rows.schema, datetime.now(UTC)).values[0]
    broken: list[Record] = [
        {"key": record.key, "value": record.value}
        for record in broken_records(rows.schema, json.loads(first))
    ]
    with progress("customers sent") as show:
        # A new broker is empty, so the position of an earlier run means nothing here.
        result = produce_batch(
            rows,
            JsonEvents(rows.schema),
            FileSink(
                writer,
                CheckpointKey(rows.file.digest(), topic, admin.topic_id(topic)),
                settings.producer.checkpoint_file,
            ),
            batch_size=settings.producer.batch_size,
            resume=False,
            stop=StopSignal(),
            on_rows=show,
        )
    writer.send(topic, broken)
    writer.flush()
    _say(f"{result.sent:,} customers and {len(broken)} broken records sent to {topic}")


def _score(settings: Settings, admin: Admin) -> None:
    from churnstream.cli.consume import consume_batch
    from churnstream.cli.window_results import show_report
    from churnstream.model.champion import Models
    from churnstream.pipeline.stop_signal import StopSignal

    stop = StopSignal()
    with Models(settings) as models:
        report = consume_batch(settings, admin, models, stop)
        schema = models.champion.current().schema
    _say(f"{report.summary.messages_read:,} events read: each one scored or set aside")
    click.echo()
    show_report(report, schema, settings)
    _write_dead_letters(settings, admin)


def _write_dead_letters(settings: Settings, admin: Admin) -> None:
    """Keep the dead letters in a file: the demo's broker takes its topics with it."""
    import msgspec

    from churnstream.cli.dead_letters import dead_letter_row
    from churnstream.pipeline.replay import Filter, find

    _DEAD_LETTERS.parent.mkdir(parents=True, exist_ok=True)
    with _DEAD_LETTERS.open("wb") as file:
        for found in find(settings, admin, Filter()):
            for pair in found:
                file.write(msgspec.json.encode(dead_letter_row(*pair)) + b"\n")
    click.echo(
        f"dead letters are in {settings.topics.deadletter}, and in {_DEAD_LETTERS} because the "
        "demo's broker ends with it; look with: churnstream demo --keep"
    )

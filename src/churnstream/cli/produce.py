"""produce: rows of customers into events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.customer_source import rows_of
from churnstream.cli.progress_bar import progress
from churnstream.cli.standard_streams import done_already
from churnstream.errors import ConfigurationError
from churnstream.observability.instrumentation import instrumented_producer

if TYPE_CHECKING:
    from collections.abc import Callable

    from churnstream.codecs.customer_rows import CustomerRows
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.event_forms import EventForm
    from churnstream.pipeline.producer import BatchResult
    from churnstream.pipeline.sent_ranges import Sent
    from churnstream.pipeline.stop_signal import StopSignal
    from churnstream.settings import Settings

_SENT = "the events are sent all the same"
_RECREATED = "; run it again to send all rows to the new one"


@click.command()
@options.setting("producer.mode", "--mode", help="streaming or batch.")
@options.dataset
@options.setting(
    "producer.events_per_sec", "--events-per-sec", type=float, help="Streaming: the rate."
)
@options.setting("producer.max_events", "--max-events", type=int, help="Streaming: stop after N.")
@options.setting(
    "producer.duration", "--duration", type=float, help="Streaming: stop after S seconds."
)
@options.setting("producer.seed", "--seed", type=int, help="Streaming: repeatable choice.")
@options.setting(
    "producer.batch_size", "--batch-size", type=int, help="Batch: rows per checkpoint."
)
@options.setting(
    "producer.checkpoint_file",
    "--checkpoint-file",
    type=options.ANY_PATH,
    help="Batch: the position, for brokers without transactions.",
)
@options.setting("producer.resume", "--resume/--no-resume", help="Batch: --no-resume starts over.")
@options.registers
@options.as_json(
    "Batch: say as JSON between which offsets the rows lie; a repeated run says the same."
)
@options.metrics
@options.kafka
@options.with_settings
def produce(settings: Settings, as_json: bool) -> None:
    """Turn rows of customers into events.

    Streaming sends random customers until stopped; batch sends the whole file in order and goes
    on where it stopped.

    \b
    Examples: churnstream produce --events-per-sec 500 --duration 60
              churnstream produce --mode batch --dataset customers.csv
    """
    if as_json and settings.producer.mode != "batch":
        raise ConfigurationError("--json goes with --mode batch")
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.encoding import event_form

    stop = options.process_stop()
    rows = rows_of(settings)
    form = event_form(settings, rows.schema, stop.requested)
    with instrumented_producer(settings) as on_rows:
        admin = Admin(settings.kafka, stop.requested)
        admin.partitions(settings.topics.input)
        if settings.producer.mode == "streaming":
            line = _stream(settings, admin, rows, form, stop, on_rows)
            with done_already(_SENT):
                click.echo(line)
        elif as_json:
            sent = _send_range(settings, admin, rows, form, stop, on_rows)
            with done_already(_SENT):
                options.echo_json(sent)
        else:
            result = _send_file(settings, admin, rows, form, stop, on_rows)
            with done_already(_SENT):
                click.echo(_batch_line(result, rows.file.name, settings.topics.input))


def _stream(
    settings: Settings,
    admin: Admin,
    rows: CustomerRows,
    form: EventForm,
    stop: StopSignal,
    on_rows: Callable[[int], None],
) -> str:
    """Send random customers; what to say in the end."""
    from churnstream.kafka.writer import Writer
    from churnstream.pipeline.producer import produce_streaming

    own, topic = settings.producer, settings.topics.input
    with progress("events sent", own.max_events) as show:
        sent = produce_streaming(
            rows,
            form,
            Writer(settings.kafka, give_up=stop.overdue, max_bytes=admin.max_record_bytes(topic)),
            topic,
            rate=own.events_per_sec,
            seed=own.seed,
            max_events=own.max_events,
            duration=own.duration,
            stop=stop,
            on_rows=_both(show, on_rows),
        )
    return f"{sent:,} events sent to {topic}"


def _send_file(
    settings: Settings,
    admin: Admin,
    rows: CustomerRows,
    form: EventForm,
    stop: StopSignal,
    on_rows: Callable[[int], None],
) -> BatchResult:
    """Send the whole file."""
    from churnstream.kafka.topic_identity import TopicIdentity
    from churnstream.pipeline.producer import batch_sink, produce_batch

    identity = TopicIdentity(admin, settings.topics.input)
    with progress("rows sent") as show, identity.throughout(_RECREATED, stop.requested):
        return produce_batch(
            rows,
            form,
            batch_sink(settings, admin, rows, stop),
            batch_size=settings.producer.batch_size,
            resume=settings.producer.resume,
            stop=stop,
            before_batch=lambda: identity.check(_RECREATED),
            on_rows=_both(show, on_rows),
        )


def _send_range(
    settings: Settings,
    admin: Admin,
    rows: CustomerRows,
    form: EventForm,
    stop: StopSignal,
    on_rows: Callable[[int], None],
) -> Sent:
    """Send the whole file; between which offsets its rows lie."""
    from churnstream.pipeline.checkpoint import CheckpointKey
    from churnstream.pipeline.sent_ranges import SentRangeKeeper

    topic = settings.topics.input
    source = CheckpointKey(rows.file.digest(), topic, admin.topic_id(topic))
    path = settings.producer.checkpoint_file.with_suffix(".stretches.json")
    keeper = SentRangeKeeper(path, source, admin)
    result = _send_file(settings, admin, rows, form, stop, _both(keeper.begin, on_rows))
    if result.finished:
        keeper.finish()
    return keeper.sent(result.resumed_at + result.sent, result.sent)


def _both(one: Callable[[int], None], other: Callable[[int], None]) -> Callable[[int], None]:
    def on_rows(rows: int) -> None:
        one(rows)
        other(rows)

    return on_rows


def _batch_line(result: BatchResult, name: str, topic: str) -> str:
    if result.finished and not result.sent and result.resumed_at:
        return (
            f"nothing left to send: all {result.resumed_at:,} rows of {name} were sent to {topic} "
            "before; send them again with --no-resume"
        )
    again = f", after {result.resumed_at:,} sent by earlier runs" if result.resumed_at else ""
    rest = "" if result.finished else "; stopped, run it again to send the rest"
    return f"{result.sent:,} rows of {name} sent to {topic}{again}{rest}"

"""produce and consume: the two ends of the flow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.progress import progress

if TYPE_CHECKING:
    from churnstream.analytics.summary import Summary
    from churnstream.cli.scoring import Models
    from churnstream.config import Settings
    from churnstream.streaming.kafka.admin import Admin
    from churnstream.streaming.producer import BatchResult
    from churnstream.streaming.scoring import Batch
    from churnstream.streaming.stop import Stop


@click.command()
@options.setting("producer.mode", "--mode", help="streaming or batch [streaming].")
@options.dataset
@options.setting(
    "producer.events_per_sec", "--events-per-sec", type=float, help="Streaming: the rate [10]."
)
@options.setting("producer.max_events", "--max-events", type=int, help="Streaming: stop after N.")
@options.setting(
    "producer.duration", "--duration", type=float, help="Streaming: stop after S seconds."
)
@options.setting("producer.seed", "--seed", type=int, help="Streaming: repeatable choice.")
@options.setting(
    "producer.batch_size", "--batch-size", type=int, help="Batch: rows per checkpoint [1000]."
)
@options.setting(
    "producer.checkpoint_file",
    "--checkpoint-file",
    type=options.ANY_PATH,
    help="Batch: the place, for brokers without transactions "
    "[.churnstream/producer-checkpoint.json].",
)
@options.setting("producer.resume", "--resume/--no-resume", help="Batch: --no-resume starts over.")
@options.kafka
@options.with_settings
def produce(settings: Settings) -> None:
    """Turn rows of customers into events.

    Streaming sends random customers until stopped; batch sends the whole file in order and goes
    on where it stopped.

    \b
    Examples: churnstream produce --events-per-sec 500 --duration 60
              churnstream produce --mode batch --dataset customers.csv
    """
    from churnstream.dataset import open_dataset
    from churnstream.streaming.kafka.admin import Admin
    from churnstream.streaming.stop import Stop

    stop = Stop()
    stop.listen()
    dataset = open_dataset(settings.producer.dataset)
    admin = Admin(settings.kafka, stop.requested)
    admin.partitions(settings.topics.input)
    if settings.producer.mode == "streaming":
        from churnstream.streaming.kafka.writer import Writer
        from churnstream.streaming.producer import produce_streaming

        own = settings.producer
        with progress("events sent", own.max_events) as show:
            sent = produce_streaming(
                dataset,
                Writer(settings.kafka, give_up=stop.overdue),
                settings.topics.input,
                rate=own.events_per_sec,
                seed=own.seed,
                max_events=own.max_events,
                duration=own.duration,
                stop=stop,
                on_rows=show,
            )
        click.echo(f"{sent:,} events sent to {settings.topics.input}")
        return
    from churnstream.streaming.producer import batch_sink, produce_batch

    with progress("rows sent") as show:
        result = produce_batch(
            dataset,
            batch_sink(settings, admin, dataset, stop),
            batch_size=settings.producer.batch_size,
            resume=settings.producer.resume,
            stop=stop,
            on_rows=show,
        )
    click.echo(_batch_line(result, dataset.name, settings.topics.input))


def _batch_line(result: BatchResult, name: str, topic: str) -> str:
    if result.finished and not result.sent and result.resumed_at:
        return (
            f"nothing left to send: all {result.resumed_at:,} rows of {name} were sent to {topic} "
            "before; send them again with --no-resume"
        )
    again = f", after {result.resumed_at:,} sent by earlier runs" if result.resumed_at else ""
    rest = "" if result.finished else "; stopped, run it again to send the rest"
    return f"{result.sent:,} rows of {name} sent to {topic}{again}{rest}"


@click.command()
@options.setting("consumer.mode", "--mode", help="streaming or batch [streaming].")
@options.setting(
    "consumer.max_messages", "--max-messages", type=int, help="Batch: stop after N records."
)
@options.window
@options.setting(
    "consumer.delivery", "--delivery", help="exactly-once or at-least-once [exactly-once]."
)
@options.setting("consumer.reasons", "--reasons", help="Explain top, all or none [top].")
@options.setting("consumer.instance", "--instance", help="This process within the group [0].")
@options.setting(
    "consumer.batch_size", "--batch-size", type=int, help="Most events committed at once [5000]."
)
@options.setting(
    "consumer.group_protocol", "--group-protocol", help="classic or consumer, KIP-848 [classic]."
)
@options.model
@options.setting(
    "model.refresh",
    "--model-refresh",
    type=float,
    help="Seconds between two looks for another model there [30].",
)
@options.setting(
    "model.challenger",
    "--challenger",
    metavar="FOLDER|models:/NAME@ALIAS",
    help="Score with this model, too, and publish nothing of it.",
)
@options.summary
@options.kafka
@options.with_settings
def consume(settings: Settings) -> None:
    """Score events: predictions to one topic, refused records to another.

    Streaming scores until stopped. Batch scores a bounded window, then prints and writes the
    summary. A model that is replaced meanwhile is taken into use between two batches.

    \b
    Examples: churnstream consume
              churnstream consume --mode batch --max-messages 1000
              churnstream consume --mode batch --to 2026-12-01T00:00:00Z
              churnstream consume --model models:/telco-churn@champion
    """
    from churnstream.streaming.stop import Stop

    stop = Stop()
    stop.listen()  # before the imports that take seconds

    from churnstream.cli.scoring import Models
    from churnstream.streaming.kafka.admin import Admin

    admin = Admin(settings.kafka, stop.requested)
    with Models(settings) as models:
        if settings.consumer.mode == "streaming":
            consume_streaming(settings, admin, models, stop)
            return
        summary = consume_batch(settings, admin, models, stop)
    finish_batch(summary, settings)
    letters_hint(summary, settings)


def consume_streaming(settings: Settings, admin: Admin, models: Models, stop: Stop) -> None:
    """Score until a stop is asked for."""
    import structlog

    from churnstream.analytics.shadow import in_words
    from churnstream.streaming.consumer import connect
    from churnstream.streaming.window import Window

    counts = {"scored": 0, "dead_lettered": 0}

    def count(batch: Batch) -> None:
        counts["scored"] += len(batch.events)
        counts["dead_lettered"] += len(batch.rejected)
        models.shadow(batch)
        show(sum(counts.values()))

    with progress("events scored") as show:
        consumer = connect(
            settings,
            admin,
            models.champion.current,
            window=Window(),
            starts={},
            stop=stop,
            on_batch=count,
        )
        log = structlog.get_logger("churnstream.consumer")
        log.info("consumer_started", topic=settings.topics.input)
        consumer.run(stop)
    click.echo(f"{counts['scored']:,} scored, {counts['dead_lettered']:,} dead letters")
    for shadow in models.comparison():
        click.echo(f"challenger {in_words(shadow)}")


def consume_batch(settings: Settings, admin: Admin, models: Models, stop: Stop) -> Summary:
    """Score a bounded window and sum it up."""
    from churnstream.analytics.summary import SummaryBuilder
    from churnstream.streaming.consumer import connect
    from churnstream.streaming.kafka.client import places_of
    from churnstream.streaming.window import bounded

    own = settings.consumer
    window, starts = bounded(
        admin,
        settings.topics.input,
        own.group,
        start=own.start,
        end=own.end,
        most=own.max_messages,
    )
    builder = SummaryBuilder(top_k=settings.summary.top_k)
    done = 0
    begin: datetime | None = None  # joining the group takes seconds that say nothing of the rate
    thresholds: dict[str, float] = {}  # by version of the model, in order of appearance

    def add(batch: Batch) -> None:
        nonlocal done, begin
        begin = begin or batch.scored_at
        threshold = thresholds[batch.scorer.version] = batch.scorer.threshold
        says_yes = batch.probabilities >= threshold
        builder.add(batch.events, batch.probabilities, says_yes, batch.partitions, batch.offsets)
        builder.add_rejected(batch.rejections, *places_of(batch.rejected))
        models.shadow(batch)
        done += len(batch)
        show(done)

    with progress("events scored", own.max_messages) as show:
        consumer = connect(
            settings,
            admin,
            models.champion.current,
            window=window,
            starts=starts,
            stop=stop,
            on_batch=add,
        )
        consumer.run(stop)
    if not thresholds:
        model = models.champion.current()
        thresholds[model.version] = model.threshold
    return builder.build(
        model_versions=list(thresholds),
        threshold=next(iter(thresholds.values())) if len(thresholds) == 1 else None,
        duration_s=(datetime.now(UTC) - begin).total_seconds() if begin else 0.0,
        challengers=models.comparison(),
    )


def finish_batch(summary: Summary, settings: Settings) -> None:
    """Show the summary and keep it."""
    from rich.console import Console

    from churnstream.analytics.summary import write_summary
    from churnstream.analytics.table import render

    write_summary(summary, settings.summary.path)
    render(summary, Console())
    click.echo(f"summary written to {settings.summary.path}")


def letters_hint(summary: Summary, settings: Settings) -> None:
    """Say where the dead letters are and how to look at them."""
    if summary.dead_lettered:
        click.echo(
            f"{summary.dead_lettered:,} dead letters are in {settings.topics.deadletter}; look "
            f"with: churnstream dead-letters list --broker {settings.kafka.brokers}"
        )

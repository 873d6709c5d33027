"""consume: events into predictions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.customer_source import schema_of
from churnstream.cli.detach import FLAG, run_detached
from churnstream.cli.progress_bar import progress
from churnstream.cli.standard_streams import done_already
from churnstream.cli.window_results import show_report, try_summary
from churnstream.errors import ConfigurationError
from churnstream.observability.instrumentation import instrumented_consumer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from churnstream.analysis.window_report import WindowReport
    from churnstream.kafka.admin import Admin
    from churnstream.model.champion import Models
    from churnstream.pipeline.consumer_notices import Notice
    from churnstream.pipeline.scoring import Batch
    from churnstream.pipeline.stop_signal import StopSignal

    Listener = Callable[[Notice], None]
    from churnstream.schema.schema import Schema
    from churnstream.settings import Settings

_COMMITTED = "the events are scored and committed all the same"


@click.command()
@options.setting("consumer.mode", "--mode", help="streaming or batch.")
@options.setting(
    "consumer.max_messages", "--max-messages", type=int, help="Batch: stop after N records."
)
@options.window
@options.setting("consumer.delivery", "--delivery", help="exactly-once or at-least-once.")
@options.setting("consumer.reasons", "--reasons", help="Explain top, all or none.")
@options.setting(
    "topics.output_format", "--output-format", help="Of predictions: json, avro, protobuf, …"
)
@options.registers
@options.setting("consumer.instance", "--instance", help="This process within the group.")
@options.setting(
    "consumer.batch_size",
    "--batch-size",
    type=int,
    help="Maximum of events committed at once.",
)
@options.setting(
    "consumer.group_protocol", "--group-protocol", help="classic or consumer, KIP-848."
)
@options.model
@options.setting(
    "model.refresh",
    "--model-refresh",
    type=float,
    help="Seconds between two looks for another model there.",
)
@options.setting(
    "model.challenger",
    "--challenger",
    metavar="FOLDER|models:/NAME@ALIAS",
    help="Score with this model, too, and publish nothing of it.",
)
@options.setting(
    "notify.url",
    "--notify",
    metavar="URL",
    help="POST a webhook for each customer who becomes likely to leave. A list of processes shows "
    "the address: one with a password belongs in CHURNSTREAM_NOTIFY__URL.",
)
@click.option(
    FLAG,
    "pid_file",
    type=options.ANY_PATH,
    metavar="PIDFILE",
    help="Run in the background, unless the process of that file still runs.",
)
@options.summary
@options.metrics
@options.kafka
@options.with_settings
def consume(settings: Settings, pid_file: Path | None) -> None:
    """Score events: predictions to one topic, rejected records to another.

    Streaming scores until stopped. Batch scores a bounded window, then prints and writes the
    summary. A model that is replaced meanwhile is taken into use between two batches.

    \b
    Examples: churnstream consume
              churnstream consume --mode batch --max-messages 1000
              churnstream consume --mode batch --to 2026-12-01T00:00:00Z
              churnstream consume --model models:/telco-churn@champion
              churnstream consume --detach .churnstream/consumer.pid
              churnstream consume --output-format avro --schema-registry http://registry:8081
              churnstream consume --notify https://crm.example.com/churn
    """
    if pid_file:
        click.echo(f"consumer {run_detached(sys.argv[1:], pid_file)}")
        return
    if settings.consumer.mode == "batch":
        try_summary(settings)
    from churnstream.kafka.admin import Admin
    from churnstream.model.champion import Models
    from churnstream.pipeline.notify.notifier_thread import notifying

    stop = options.process_stop()
    with instrumented_consumer(settings) as instruments:
        admin = Admin(settings.kafka, stop.requested)
        with Models(settings, instruments.use_model) as models:
            instruments.follow(models)
            schema = models.champion.current().schema
            _check_names(settings, schema)
            with notifying(settings, schema, stop) as notifier:
                instruments.follow_notifier(notifier)
                if settings.consumer.mode == "streaming":
                    consume_streaming(settings, admin, models, stop, instruments.on_notice)
                    report = None
                else:
                    report = consume_batch(settings, admin, models, stop, instruments.on_notice)
                    if notifier:
                        notifier.drain()
    with done_already(_COMMITTED):
        if report:
            show_report(report, schema, settings)
        if notifier:
            click.echo(notifier.in_words())


def _check_names(settings: Settings, model: Schema) -> None:
    """Make sure that a model does not read the topic of other customers only by default.

    Raises:
        ConfigurationError: It would.
    """
    own, topic = schema_of(settings).name, settings.topics.input
    if model.name != own and topic == f"{own}.raw.customers":
        raise ConfigurationError(
            f"the model in {settings.model.path} is of the customers {model.name!r}, and {topic} "
            f"is the topic of {own!r}; name their schema with --schema, or the topics with "
            "--input-topic, --output-topic and --deadletter-topic"
        )


def consume_streaming(
    settings: Settings, admin: Admin, models: Models, stop: StopSignal, listener: Listener
) -> None:
    """Score until a stop is asked for."""
    import structlog

    from churnstream.model.shadow import in_words
    from churnstream.pipeline.connect import connect
    from churnstream.pipeline.offset_window import OffsetWindow

    counts = {"scored": 0, "dead_lettered": 0, "passed_over": 0}

    def count(batch: Batch) -> None:
        counts["scored"] += len(batch.events)
        counts["dead_lettered"] += len(batch.rejected)
        counts["passed_over"] += len(batch.passed_over)
        models.shadow(batch.events, batch.probabilities, batch.scorer)
        show(sum(counts.values()))

    with progress("events scored") as show:
        consumer = connect(
            settings,
            admin,
            models.champion,
            window=OffsetWindow(),
            starts={},
            stop=stop,
            listener=_with_batches(listener, count),
        )
        log = structlog.get_logger("churnstream.consumer")
        is_fast = models.champion.current().decode.scanner is not None
        log.info("consumer_started", topic=settings.topics.input, fast=is_fast)
        consumer.run(stop)
    with done_already(_COMMITTED):
        by_rule = f", {n:,} passed over" if (n := counts["passed_over"]) else ""
        click.echo(
            f"{counts['scored']:,} scored, {counts['dead_lettered']:,} dead letters{by_rule}"
        )
        for shadow in models.comparison():
            click.echo(f"challenger {in_words(shadow)}")


def consume_batch(
    settings: Settings,
    admin: Admin,
    models: Models,
    stop: StopSignal,
    listener: Listener = lambda _: None,
) -> WindowReport:
    """Score a bounded window and sum it up."""
    from churnstream.analysis.window_report import WindowReportBuilder
    from churnstream.kafka.client import positions_of
    from churnstream.pipeline.connect import connect
    from churnstream.pipeline.offset_ranges import bounded

    own, model = settings.consumer, models.champion.current()
    window, starts = bounded(
        admin,
        settings.topics.input,
        own.group,
        start=own.start,
        end=own.end,
        max_messages=own.max_messages,
    )
    builder = WindowReportBuilder(model.schema, model, top_k=settings.summary.top_k)
    done = 0

    def add(batch: Batch) -> None:
        nonlocal done
        scorer, risks = batch.scorer, batch.probabilities
        builder.note_model(scorer.version, scorer.threshold, batch.scored_at)
        says_yes = risks >= scorer.threshold
        builder.add(batch.events, risks, says_yes, batch.partitions, batch.offsets)
        builder.add_rejected(batch.rejections, *positions_of(batch.rejected))
        builder.add_passed_over(len(batch.passed_over))
        models.shadow(batch.events, risks, scorer)
        done += len(batch)
        show(done)

    with progress("events scored", own.max_messages) as show:
        consumer = connect(
            settings,
            admin,
            models.champion,
            window=window,
            starts=starts,
            stop=stop,
            listener=_with_batches(listener, add),
        )
        consumer.run(stop)
    return builder.build_of_run(models.comparison())


def _with_batches(listener: Listener, on_batch: Callable[[Batch], None]) -> Listener:
    """A listener that hands on every batch that is committed and not empty, too."""
    from churnstream.pipeline.consumer_notices import Committed

    def listen(notice: Notice) -> None:
        listener(notice)
        if isinstance(notice, Committed) and len(notice.batch):
            on_batch(notice.batch)

    return listen

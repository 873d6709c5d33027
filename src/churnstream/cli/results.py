"""report and audit: what became of the events."""

from __future__ import annotations

import sys
import time
from itertools import chain
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from churnstream.cli.window import Result
    from churnstream.model.scorer import Model
    from churnstream.pipeline.history import History
    from churnstream.pipeline.ledger import Audit
    from churnstream.settings import Settings


@click.command()
@options.window
@options.model
@options.summary
@options.kafka
@options.with_settings
def report(settings: Settings) -> None:
    """Sum up predictions that are in the topic already.

    The window speaks of events: their time, or their offsets in the input topic.

    \b
    Example: churnstream report --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z
    """
    from churnstream.cli.flow import finish_batch, letters_hint, try_summary
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.history import History
    from churnstream.pipeline.window import resolve

    try_summary(settings)
    admin, topic = Admin(settings.kafka), settings.topics.input
    starts, ends = admin.beginnings(topic), admin.ends(topic)
    if settings.consumer.start:
        starts |= resolve(admin, topic, settings.consumer.start, "--from")
    if settings.consumer.end:
        ends |= resolve(admin, topic, settings.consumer.end, "--to")
    history = History(settings, admin, starts, ends)
    result = _summarise(history, settings)
    tell_foreign(history, settings)
    finish_batch(result, settings)
    letters_hint(result.summary, settings)


def _summarise(history: History, settings: Settings) -> Result:
    from churnstream.cli.window import WindowBuilder

    begin = time.monotonic()
    model, missing = _model_at_hand(settings)
    batches = history.scored()
    first = next(batches, None)  # now the versions are known
    if model and model.version not in history.versions:
        model, missing = None, f"The model in {settings.model.path} is not the one that scored."
    builder = WindowBuilder(model, top_k=settings.summary.top_k, missing=missing)
    for batch in chain([first] if first else [], batches):
        builder.add(*batch)
    for rejection, partition, offset in history.rejected():
        builder.add_rejected([rejection], [partition], [offset])
    return builder.build(
        model_versions=list(history.versions),
        threshold=None,
        duration_s=time.monotonic() - begin,
    )


def tell_foreign(history: History, settings: Settings) -> None:
    """Say which records were passed over, since they are not what churnstream writes there."""
    names = {settings.topics.output: "predictions", settings.topics.deadletter: "dead letters"}
    for topic, count in history.foreign.items():
        if count:
            records = "record" if count == 1 else "records"
            what = names[topic] if count > 1 else names[topic].removesuffix("s")
            verb = "is no" if count == 1 else "are no"
            click.echo(f"passed over: {count:,} {records} in {topic} that {verb} {what}", err=True)


def _model_at_hand(settings: Settings) -> tuple[Model | None, str]:
    """The model in the folder, or why there is none."""
    from churnstream.errors import ModelError
    from churnstream.model.source import load

    try:
        return load(settings.model.path, settings.model.trusted_types), ""
    except ModelError as error:
        return None, f"Not at hand: {error}."


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@click.option("--in-flight-ok", is_flag=True, help="Events still on their way are no failure.")
@click.option("--min-events", type=click.IntRange(min=0), help="Fewer events are a failure.")
@click.option(
    "--max-dead-letters",
    type=click.FloatRange(0, 1),
    help="A larger share of the events in dead letters is a failure, 0 to 1.",
)
@options.window
@options.kafka
@options.with_settings
def audit(
    settings: Settings,
    as_json: bool,
    in_flight_ok: bool,
    min_events: int | None,
    max_dead_letters: float | None,
) -> None:
    """Prove that every event has exactly one outcome; exit 1 if not.

    Reads the three topics as committed, also while the pipeline works.

    \b
    Example: churnstream audit --in-flight-ok
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.audit import audit as prove
    from churnstream.pipeline.window import resolve

    admin, own, topic = Admin(settings.kafka), settings.consumer, settings.topics.input
    starts = resolve(admin, topic, own.start, "--from") if own.start else None
    ends = resolve(admin, topic, own.end, "--to") if own.end else None
    verdict = prove(settings, admin, starts, ends)
    if as_json:
        options.echo_json(verdict)
    else:
        _print_audit(verdict)
    _refuse_beyond(verdict, min_events, max_dead_letters)
    sys.exit(0 if verdict.complete or (in_flight_ok and verdict.exactly_once) else 1)


def _refuse_beyond(verdict: Audit, min_events: int | None, most: float | None) -> None:
    events, letters = verdict.events, sum(row.dead_letters for row in verdict.partitions)
    if min_events is not None and events < min_events:
        raise ChurnstreamError(f"there are {events:,} events, fewer than {min_events:,}")
    if most is not None and letters > most * events:
        raise ChurnstreamError(
            f"{letters:,} of {events:,} events are dead letters, more than {most:.1%}; look with: "
            "churnstream dead-letters list"
        )


def _print_audit(verdict: Audit) -> None:
    from rich.console import Console
    from rich.table import Table

    names = ("events", "predictions", "dead_letters", "lost", "duplicated", "orphaned", "in_flight")
    titles = ("events", "scored", "refused", "lost", "duplicated", "orphaned", "in flight")
    table = Table("partition", box=None, header_style="bold", pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right")
    for row in verdict.partitions:
        table.add_row(str(row.partition), *(f"{getattr(row, name):,}" for name in names))
    Console().print(table)
    for row in verdict.partitions:
        for kind, offsets in row.examples.items():
            if offsets:
                click.echo(f"{kind} in partition {row.partition}: {offsets}")
    for partition in verdict.beyond:
        click.echo(
            f"the group's offset in partition {partition} lies beyond its end, and says nothing: "
            "the topic was truncated, or deleted and created again"
        )
    if verdict.former:
        click.echo(
            "outcomes of an earlier input topic of that name are left out: "
            f"{verdict.former:,} offsets"
        )
    flying = f"; {verdict.in_flight:,} still in flight" if verdict.in_flight else ""
    if verdict.exactly_once:
        done = verdict.events - verdict.in_flight
        click.echo(f"each of {done:,} events has exactly one outcome{flying}")
    else:
        click.echo(
            f"{verdict.lost:,} lost, {verdict.duplicated:,} duplicated, "
            f"{verdict.orphaned:,} orphaned{flying}"
        )

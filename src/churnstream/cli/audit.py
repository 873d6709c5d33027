"""audit: the proof that every event has exactly one outcome."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.customer_source import schema_of
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from churnstream.pipeline.outcome_ledger import Audit
    from churnstream.settings import Settings


@click.command()
@options.as_json()
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
    from churnstream.pipeline.offset_ranges import named_offsets
    from churnstream.pipeline.outcome_audit import audit as prove

    admin = Admin(settings.kafka)
    verdict = prove(settings, schema_of(settings), admin, *named_offsets(settings, admin))
    if as_json:
        options.echo_json(verdict)
    else:
        _print_audit(verdict)
    _reject_beyond(verdict, min_events, max_dead_letters)
    sys.exit(0 if verdict.complete or (in_flight_ok and verdict.exactly_once) else 1)


def _reject_beyond(verdict: Audit, min_events: int | None, max_share: float | None) -> None:
    events, dead_letters = verdict.events, sum(row.dead_letters for row in verdict.partitions)
    if min_events is not None and events < min_events:
        raise ChurnstreamError(f"there are {events:,} events, fewer than {min_events:,}")
    if max_share is not None and dead_letters > max_share * events:
        raise ChurnstreamError(
            f"{dead_letters:,} of {events:,} events are dead letters, more than {max_share:.1%}; "
            "look with: churnstream dead-letters list"
        )


def _print_audit(verdict: Audit) -> None:
    from rich.console import Console
    from rich.table import Table

    names = ["events", "predictions", "dead_letters", "lost", "duplicated", "orphaned", "in_flight"]
    titles = ["events", "scored", "rejected", "lost", "duplicated", "orphaned", "in flight"]
    if any(row.passed_over for row in verdict.partitions):
        names.insert(3, "passed_over")
        titles.insert(3, "passed over")
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

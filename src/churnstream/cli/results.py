"""report, audit and dead-letters: what became of the events."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from churnstream.cli import options
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from churnstream.cli.window import Result
    from churnstream.config import Settings
    from churnstream.messages import DeadLetter
    from churnstream.model.scorer import Model
    from churnstream.streaming.audit import Audit
    from churnstream.streaming.history import History
    from churnstream.streaming.kafka.client import Message
    from churnstream.streaming.replay import Filter


def _moment(text: str) -> datetime:
    """An RFC 3339 timestamp or a date; UTC if it does not say."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no timestamp such as 2026-11-23T08:00:00Z"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


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
    from churnstream.cli.flow import finish_batch, letters_hint
    from churnstream.streaming.history import History
    from churnstream.streaming.kafka.admin import Admin
    from churnstream.streaming.window import resolve

    admin, topic = Admin(settings.kafka), settings.topics.input
    starts, ends = admin.beginnings(topic), admin.ends(topic)
    if settings.consumer.start:
        starts |= resolve(admin, topic, settings.consumer.start, "--from")
    if settings.consumer.end:
        ends |= resolve(admin, topic, settings.consumer.end, "--to")
    result = _summarise(History(settings, admin, starts, ends), settings)
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
    from churnstream.streaming.audit import audit as prove
    from churnstream.streaming.kafka.admin import Admin
    from churnstream.streaming.window import resolve

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
    flying = f"; {verdict.in_flight:,} still in flight" if verdict.in_flight else ""
    if verdict.exactly_once:
        done = verdict.events - verdict.in_flight
        click.echo(f"each of {done:,} events has exactly one outcome{flying}")
    else:
        click.echo(
            f"{verdict.lost:,} lost, {verdict.duplicated:,} duplicated, "
            f"{verdict.orphaned:,} orphaned{flying}"
        )


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at refused records, and send them back."""


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (  # the last one applied is listed first
        click.option("--offset", multiple=True, type=int, help="Only this offset; repeatable."),
        click.option("--until", type=_moment, help="Refused before this time."),
        click.option("--since", type=_moment, help="Refused at this time or later."),
        click.option("--reason", multiple=True, help="Only this reason; repeatable."),
    ):
        function = option(function)
    return function


def _filter(values: dict[str, Any]) -> Filter:
    from churnstream.messages import REASONS
    from churnstream.streaming.replay import Filter

    for reason in values["reason"]:
        if reason not in REASONS:
            known = ", ".join(REASONS)
            raise click.BadParameter(f"{reason!r} is none of {known}", param_hint="--reason")
    return Filter(values["reason"], values["since"], values["until"], values["offset"])


@dead_letters.command("list")
@_filters
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Show at most so many.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines, with the record's value.")
@options.kafka
@options.with_settings
def list_dead_letters(settings: Settings, limit: int, as_json: bool, **values: Any) -> None:  # noqa: ANN401
    """Show refused records and why.

    \b
    Examples: churnstream dead-letters list --reason unknown_category
              churnstream dead-letters list --json | jq .value
    """
    from itertools import chain, islice

    from churnstream.streaming.kafka.admin import Admin
    from churnstream.streaming.replay import find

    wanted = _filter(values)
    found = chain.from_iterable(find(settings, Admin(settings.kafka), wanted))
    shown = [letter_row(*pair) for pair in islice(found, limit)]
    more = sum(1 for _ in found)
    if as_json:
        import msgspec

        for row in shown:
            click.echo(msgspec.json.encode(row).decode())
    else:
        _print_letters(shown)
    if more or not shown:
        click.echo(f"{more:,} more; see --limit" if more else "no dead letters", err=True)


def letter_row(record: Message, letter: DeadLetter) -> dict[str, object]:
    """A dead letter as `dead-letters list --json` shows it."""
    key, value = record.key(), record.value()
    return {
        "offset": record.offset(),
        "reason": letter.reason,
        "message": letter.message,
        "attempt": letter.attempt,
        "failed_at": letter.failed_at,
        "source": f"{letter.topic}/{letter.partition}@{letter.offset}",
        "key": None if key is None else key.decode(errors="replace"),
        "value": None if value is None else value.decode(errors="replace"),
    }


def _print_letters(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("offset", "right"), ("tries", "right"), ("source", "left")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("what is wrong", overflow="fold")
    for row in rows:
        place = row["source"].rpartition("/")[2]
        table.add_row(str(row["offset"]), str(row["attempt"]), place, Text(row["message"]))
    if rows:
        Console().print(table)


@dead_letters.command("replay")
@_filters
@click.option("--dry-run", is_flag=True, help="Only say how many would be sent back.")
@options.kafka
@options.with_settings
def replay(settings: Settings, dry_run: bool, **values: Any) -> None:  # noqa: ANN401
    """Send refused records back to where they came from, each one once.

    \b
    Example: churnstream dead-letters replay --reason unknown_category --dry-run
    """
    from churnstream.streaming.kafka.admin import Admin
    from churnstream.streaming.replay import Replay

    wanted = _filter(values)
    job = Replay(settings, Admin(settings.kafka))
    done = job.run(wanted, dry_run=dry_run)
    click.echo(f"{done.sent:,} dead letters {'would be ' if dry_run else ''}sent back")
    if done.partial:
        click.echo(
            f"{done.partial:,} left alone: too large to be kept whole; their originals are at the "
            "source places that dead-letters list shows"
        )

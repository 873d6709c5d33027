"""dead-letters: what was rejected, why, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from churnstream.cli import options
from churnstream.cli.standard_streams import done_already
from churnstream.cli.timestamps import timestamp
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from churnstream.kafka.client import Message
    from churnstream.pipeline.replay import Filter
    from churnstream.records.dead_letter import DeadLetter
    from churnstream.settings import Settings


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at rejected records, and send them back."""


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (  # the last one applied is listed first
        click.option("--offset", multiple=True, type=int, help="Only this offset; repeatable."),
        click.option(
            "--until", type=timestamp, metavar="TIMESTAMP", help="Rejected before this time."
        ),
        click.option(
            "--since", type=timestamp, metavar="TIMESTAMP", help="Rejected at this time or later."
        ),
        click.option("--reason", multiple=True, help="Only this reason; repeatable."),
    ):
        function = option(function)
    return function


def _filter(values: dict[str, Any]) -> Filter:
    from churnstream.pipeline.replay import Filter
    from churnstream.records.rejection import REASONS

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
@options.as_json("JSON lines, with the record's value.")
@options.kafka
@options.with_settings
def list_dead_letters(settings: Settings, limit: int, as_json: bool, **values: Any) -> None:  # noqa: ANN401
    """Show rejected records and why.

    \b
    Examples: churnstream dead-letters list --reason unknown_category
              churnstream dead-letters list --json | jq .value
    """
    from itertools import chain, islice

    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.replay import find

    wanted = _filter(values)
    found = chain.from_iterable(find(settings, Admin(settings.kafka), wanted))
    as_text = _reader_of(settings)
    shown = [dead_letter_row(*pair, as_text) for pair in islice(found, limit)]
    more = sum(1 for _ in found)
    if as_json:
        for row in shown:
            click.echo(options.json_text(row))
    else:
        _print_dead_letters(shown)
    if more or not shown:
        click.echo(f"{more:,} more; see --limit" if more else "no dead letters", err=True)


def _reader_of(settings: Settings) -> Callable[[bytes | None], bytes | None]:
    """What makes JSON of values in a registry's format; of all others it makes nothing else."""
    from churnstream.cli.customer_source import schema_of
    from churnstream.pipeline.decoding import registry_values

    try:
        values = registry_values(settings, schema_of(settings).source)
    except ChurnstreamError as error:
        click.echo(f"values are shown as they are: {error}", err=True)
        return _as_it_is
    return values.shown if values else _as_it_is


def _as_it_is(part: bytes | None) -> bytes | None:
    return part


def dead_letter_row(
    record: Message,
    dead_letter: DeadLetter,
    as_text: Callable[[bytes | None], bytes | None] = _as_it_is,
) -> dict[str, object]:
    """A dead letter as `dead-letters list --json` shows it."""
    key, value = as_text(record.key()), as_text(record.value())
    return {
        "offset": record.offset(),
        "reason": dead_letter.reason,
        "message": dead_letter.message,
        "attempt": dead_letter.attempt,
        "failed_at": dead_letter.failed_at,
        "source": f"{dead_letter.topic}/{dead_letter.partition}@{dead_letter.offset}",
        "key": None if key is None else key.decode(errors="replace"),
        "value": None if value is None else value.decode(errors="replace"),
    }


def _print_dead_letters(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from churnstream.escaping import printable

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("offset", "right"), ("tries", "right"), ("source", "left")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("what is wrong", overflow="fold")
    for row in rows:
        position = row["source"].rpartition("/")[2]
        message = Text(printable(row["message"]))
        table.add_row(str(row["offset"]), str(row["attempt"]), Text(position), message)
    if rows:
        Console().print(table)


@dead_letters.command("replay")
@_filters
@click.option("--dry-run", is_flag=True, help="Only say how many would be sent back.")
@options.kafka
@options.with_settings
def replay(settings: Settings, dry_run: bool, **values: Any) -> None:  # noqa: ANN401
    """Send rejected records back to where they came from, each one once.

    \b
    Example: churnstream dead-letters replay --reason unknown_category --dry-run
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.replay import Replay

    wanted = _filter(values)
    job = Replay(settings, Admin(settings.kafka))
    done = job.run(wanted, dry_run=dry_run)
    with done_already(f"{0 if dry_run else done.sent:,} dead letters are sent back all the same"):
        click.echo(f"{done.sent:,} dead letters {'would be ' if dry_run else ''}sent back")
        for count, why in (
            (
                done.partial,
                "too large to be kept whole; their originals are at the source positions that "
                "dead-letters list shows",
            ),
            (
                done.rejected,
                f"{settings.topics.input} does not take them back; the log says why, and its "
                "limits are max.message.bytes and message.timestamp.before.max.ms",
            ),
            (done.foreign, "they are of other topics; replay those with --input-topic"),
        ):
            if count:
                click.echo(f"{count:,} left alone: {why}")

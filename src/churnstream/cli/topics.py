"""topics: create those of the flow, or look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options

if TYPE_CHECKING:
    from churnstream.settings import Settings


@click.group()
def topics() -> None:
    """Create the topics of the flow, or look at them."""


@topics.command("create")
@click.option("--notified", is_flag=True, help="The topic that consume --notify needs, too.")
@options.kafka
@options.with_settings
def create_topics(settings: Settings, notified: bool) -> None:
    """Create the topics that do not exist yet; run it as often as you like.

    \b
    Examples: churnstream topics create --broker 127.0.0.1:9092
              churnstream topics create --notified
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.topic_layout import create

    for name, is_new in create(Admin(settings.kafka), settings, notified=notified).items():
        click.echo(f"{name}: {'created' if is_new else 'is there already'}")


@topics.command("describe")
@options.as_json()
@options.kafka
@options.with_settings
def describe_topics(settings: Settings, as_json: bool) -> None:
    """Show partitions, offsets and the group's lag.

    \b
    Example: churnstream topics describe --broker 127.0.0.1:9092
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline import topic_layout as flow_topics

    rows = flow_topics.describe(Admin(settings.kafka), settings)
    for problem in flow_topics.problems(rows):
        click.echo(problem, err=True)
    if as_json:
        options.echo_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("topic", box=None, header_style="bold", pad_edge=False)
    for column in ("partition", "begin", "end", "committed", "lag"):
        table.add_column(column, justify="right")
    for row in rows:
        cells = (row.partition, row.begin, row.end, row.committed, row.lag)
        table.add_row(row.topic, *("" if cell is None else str(cell) for cell in cells))
    Console().print(table)

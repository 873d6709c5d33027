"""broker, topics, health: what the flow stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from churnstream.settings import Settings


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9092,
    show_default=True,
    help="Port of 127.0.0.1; 0 for a free one.",
)
@click.option("--create-topics/--no-create-topics", default=True, help="Create the topics too.")
@options.with_settings
def broker(settings: Settings, port: int, create_topics: bool) -> None:
    """Run the embedded broker in the foreground, until Ctrl-C.

    In memory: everything is gone when it stops. For trying and testing.

    \b
    Example: churnstream broker --port 9092
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.topics import create
    from churnstream.testing.embedded import embedded_broker

    stop = options.process_stop()
    with embedded_broker(port) as address:
        if create_topics:
            kafka = settings.kafka.model_copy(update={"brokers": address})
            create(Admin(kafka), settings)
        click.echo(f"broker ready at {address}; stop it with Ctrl-C")
        stop.wait()


@click.group()
def topics() -> None:
    """Create the topics of the flow, or look at them."""


@topics.command("create")
@options.kafka
@options.with_settings
def create_topics(settings: Settings) -> None:
    """Create the topics that do not exist yet; run it as often as you like.

    \b
    Example: churnstream topics create --broker 127.0.0.1:9092
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.topics import create

    for name, is_new in create(Admin(settings.kafka), settings).items():
        click.echo(f"{name}: {'created' if is_new else 'is there already'}")


@topics.command("describe")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@options.kafka
@options.with_settings
def describe_topics(settings: Settings, as_json: bool) -> None:
    """Show partitions, offsets and the group's lag.

    \b
    Example: churnstream topics describe --broker 127.0.0.1:9092
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline import topics as flow_topics

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


@click.command()
@click.option(
    "--max-lag", type=click.IntRange(min=0), help="More lag than this is unhealthy [any]."
)
@click.option(
    "--max-age",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="While events wait, the newest outcome must be younger than so many seconds.",
)
@options.kafka
@options.with_settings
def health(settings: Settings, max_lag: int | None, max_age: float) -> None:
    """Say as JSON whether broker, topics and consumer are well; exit 1 if not.

    \b
    Example: churnstream health --max-lag 10000
    """
    from churnstream.pipeline.flow_health import check

    state = check(settings, max_lag=max_lag, max_age=max_age)
    options.echo_json(state)
    if not state.healthy:
        raise ChurnstreamError("; ".join(state.problems))

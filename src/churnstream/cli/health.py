"""health: whether broker, topics and consumer are well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from churnstream.settings import Settings


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
    from churnstream.pipeline.flow_health import check_flow

    state = check_flow(settings, max_lag=max_lag, max_age=max_age)
    options.echo_json(state)
    if not state.healthy:
        raise ChurnstreamError("; ".join(state.problems))

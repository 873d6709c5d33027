"""drift: whether the customers still look like those that the model was trained on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from churnstream.analysis import DRIFT_THRESHOLD
from churnstream.cli import options
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from churnstream.analysis.feature_drift import Drift
    from churnstream.model.scorer import Model
    from churnstream.pipeline.prediction_history import PredictionHistory
    from churnstream.settings import Settings

_MAX_VALUE_LENGTH = 60


@click.command()
@click.option(
    "--threshold",
    type=click.FloatRange(min=0, min_open=True),
    default=DRIFT_THRESHOLD,
    show_default=True,
    help="The index above which a feature has drifted.",
)
@click.option("--small-ok", is_flag=True, help="A window too small to tell is no failure.")
@options.as_json("JSON instead of a table, with all bins.")
@options.window
@options.model
@options.kafka
@options.with_settings
def drift(settings: Settings, threshold: float, small_ok: bool, as_json: bool) -> None:
    """Compare scored events with the training customers; exit 1 if they drifted apart.

    The measure is the population stability index of each feature and of the score. A window too
    small to tell drift from chance is rejected, which is exit 1 as well, but for --small-ok.

    \b
    Example: churnstream drift --from 2026-11-01T00:00:00Z --threshold 0.1
    """
    from churnstream.analysis.feature_drift import drift as compare
    from churnstream.cli.window_results import say_foreign
    from churnstream.kafka.admin import Admin
    from churnstream.model.source import load_for_topic
    from churnstream.pipeline.offset_ranges import offset_range
    from churnstream.pipeline.prediction_history import PredictionHistory

    model = load_for_topic(settings)
    admin, background = Admin(settings.kafka), model.manifest.background
    history = PredictionHistory(settings, model.schema, admin, *offset_range(settings, admin))
    counted = _count(history, model)
    say_foreign(history, settings)
    if not counted:
        _reject_small("nothing to compare: the window holds no predictions", small_ok)
    training = {name: bins.counts for name, bins in background.bins.items()}
    found = compare(training, counted, threshold)
    if found.noise > threshold:
        _reject_small(
            f"the window is too small: between {found.events:,} events and the "
            f"{found.training_events:,} of the training, chance alone may bring an index of "
            f"{found.noise:.2g}; the threshold is {threshold:g}",
            small_ok,
        )
    if others := sorted(set(history.versions) - {model.version}):
        click.echo(f"note: scores of other models are in the window: {', '.join(others)}", err=True)
    (options.echo_json if as_json else _print_drift)(found)
    sys.exit(1 if found.drifted else 0)


def _reject_small(why: str, small_ok: bool) -> NoReturn:
    if not small_ok:
        raise ChurnstreamError(why)
    click.echo(why, err=True)
    sys.exit(0)


def _count(history: PredictionHistory, model: Model) -> Mapping[str, Counter[str]]:
    """How many events of each bin there are; empty if there are none at all."""
    totals: dict[str, Counter[str]] = {}
    for batch in history.scored():
        if batch.events:
            for name, counts in model.count(batch.events, batch.probabilities).items():
                totals[name] = totals[name] + counts if name in totals else counts
    return totals


def _print_drift(found: Drift) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from churnstream.escaping import printable

    table = Table("feature", box=None, header_style="bold", pad_edge=False)
    for title in ("index", "training", "window"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("of the events have, most of all")
    for one in found.measured:
        style, largest = "red" if one.psi > found.threshold else "", one.largest
        shares = f"{largest.in_training:.1%}", f"{largest.in_window:.1%}"
        values = Text(printable(largest.values, _MAX_VALUE_LENGTH))
        table.add_row(one.name, Text(f"{one.psi:.3f}", style), *shares, values)
    Console().print(table, highlight=False)
    verdict = f"drifted: {', '.join(found.drifted)}" if found.drifted else "no drift"
    click.echo(
        f"{verdict} (threshold {found.threshold:g}, {found.events:,} events against "
        f"{found.training_events:,} of the training)"
    )

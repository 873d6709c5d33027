"""drift and evaluate: whether the model still fits the customers, and how right it was."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from churnstream.cli import options
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from churnstream.analysis.drift import Drift
    from churnstream.analysis.evaluation import Evaluation, Evaluator, Figures, Judged, Quality
    from churnstream.kafka.admin import Admin
    from churnstream.model.background import Background
    from churnstream.model.profit import Offer
    from churnstream.pipeline.history import History, Scored
    from churnstream.settings import Settings

_TITLES = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m"}
_COLUMNS = (
    "scored",
    "judged",
    "left",
    "ROC\nAUC",
    "avg.\nprec.",
    "Brier",
    "calib.\nerror",
    "profit",
)


_LONGEST_VALUE = 60


@click.command()
@click.option(
    "--threshold",
    type=click.FloatRange(min=0, min_open=True),
    default=0.2,
    show_default=True,
    help="The index above which a feature has drifted.",
)
@click.option("--small-ok", is_flag=True, help="A window too small to tell is no failure.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table, with all bins.")
@options.window
@options.model
@options.kafka
@options.with_settings
def drift(settings: Settings, threshold: float, small_ok: bool, as_json: bool) -> None:
    """Compare scored events with the training customers; exit 1 if they drifted apart.

    The measure is the population stability index of each feature and of the score. A window too
    small to tell drift from chance is refused, which is exit 1 as well, but for --small-ok.

    \b
    Example: churnstream drift --from 2026-11-01T00:00:00Z --threshold 0.1
    """
    from churnstream.analysis.drift import drift as compare
    from churnstream.cli.results import tell_foreign
    from churnstream.kafka.admin import Admin
    from churnstream.model.source import load
    from churnstream.pipeline.history import History

    manifest = load(settings.model.path, settings.model.trusted_types).manifest
    admin = Admin(settings.kafka)
    history = History(settings, admin, *_window(settings, admin))
    counted = _count(history, manifest.background)
    tell_foreign(history, settings)
    if not counted:
        _refuse_small("nothing to compare: the window holds no predictions", small_ok)
    training = {name: bins.counts for name, bins in manifest.background.bins.items()}
    found = compare(training, counted, threshold)
    if found.noise > threshold:
        _refuse_small(
            f"the window is too small: between {found.events:,} events and the "
            f"{found.training_events:,} of the training, chance alone may bring an index of "
            f"{found.noise:.2g}; the threshold is {threshold:g}",
            small_ok,
        )
    if others := sorted(set(history.versions) - {manifest.version}):
        click.echo(f"note: scores of other models are in the window: {', '.join(others)}", err=True)
    (options.echo_json if as_json else _print_drift)(found)
    sys.exit(1 if found.drifted else 0)


def _refuse_small(why: str, small_ok: bool) -> NoReturn:
    if not small_ok:
        raise ChurnstreamError(why)
    click.echo(why, err=True)
    sys.exit(0)


def _count(history: History, background: Background) -> Mapping[str, Counter[str]]:
    """How many events of each bin there are; empty if there are none at all."""
    totals: dict[str, Counter[str]] = {}
    for batch in history.scored():
        if batch.events:
            for name, counts in background.count(batch.events, batch.probabilities).items():
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
        style, most = "red" if one.psi > found.threshold else "", one.largest
        shares = f"{most.in_training:.1%}", f"{most.in_window:.1%}"
        values = Text(printable(most.values, _LONGEST_VALUE))
        table.add_row(one.name, Text(f"{one.psi:.3f}", style), *shares, values)
    Console().print(table, highlight=False)
    verdict = f"drifted: {', '.join(found.drifted)}" if found.drifted else "no drift"
    click.echo(
        f"{verdict} (threshold {found.threshold:g}, {found.events:,} events against "
        f"{found.training_events:,} of the training)"
    )


@click.command()
@click.option(
    "--every",
    type=click.Choice(["hour", "day", "week", "month"]),
    default="day",
    show_default=True,
    help="Periods, by the time of the scored event, UTC.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@options.window
@options.model
@options.kafka
@options.with_settings
def evaluate(settings: Settings, every: str, as_json: bool) -> None:
    """Judge predictions by the labels that came later, over time.

    The window speaks of the scored events; labels count wherever they come behind those, also
    after the window. A prediction is judged by its customer's first label: that of the scored
    event itself, else of the next scored event that has one. Exit 1 if there is none.

    \b
    Example: churnstream evaluate --from 2026-11-01T00:00:00Z --every week
    """
    from functools import partial

    from churnstream.analysis.evaluation import Evaluator
    from churnstream.cli.results import tell_foreign
    from churnstream.kafka.admin import Admin
    from churnstream.model.source import load
    from churnstream.pipeline.history import History

    offer = load(settings.model.path, settings.model.trusted_types).manifest.decision.offer
    admin = Admin(settings.kafka)
    starts, ends = _window(settings, admin)
    evaluator = Evaluator(every)  # type: ignore[arg-type]  # click checks the choice
    history = History(settings, admin, starts, admin.ends(settings.topics.input))
    for batch in history.scored():
        _add(evaluator, batch, ends)
    tell_foreign(history, settings)
    found = evaluator.build(partial(_judge, offer))
    if not found.total.judged:
        raise ChurnstreamError(
            f"nothing to judge: none of {found.total.predictions:,} predictions has a label yet"
        )
    (options.echo_json if as_json else _print_evaluation)(found)


def _add(evaluator: Evaluator, batch: Scored, ends: Mapping[int, int]) -> None:
    places = zip(batch.partitions, batch.offsets, strict=True)
    inside = [offset < ends.get(partition, 0) for partition, offset in places]
    evaluator.add(batch.events, batch.probabilities, batch.says_yes, inside)


def _judge(offer: Offer, judged: Judged) -> Quality:
    """Measure as training does; where all or none left, only the profit has a meaning."""
    from churnstream.analysis.evaluation import Quality
    from churnstream.model.profit import gains
    from churnstream.model.quality import Predictions
    from churnstream.model.quality import evaluate as measure

    customers = Predictions(judged.labels, judged.charges, judged.probabilities)
    profit = float(gains(offer, customers)[judged.says_yes].sum())
    if not 0 < judged.labels.sum() < len(judged.labels):
        return Quality(profit=profit)
    # The threshold only moves figures that are not shown: what was decided stands in `says_yes`.
    found = measure(judged.labels, judged.probabilities, threshold=0.5)
    return Quality(
        roc_auc=found.roc_auc,
        average_precision=found.average_precision,
        brier=found.brier,
        calibration_error=found.calibration_error,
        profit=profit,
    )


def _print_evaluation(found: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(found.every, no_wrap=True)
    for title in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for period in found.periods:
        table.add_row(f"{period.start:{_TITLES[found.every]}}", *_cells(period))
    if found.others:
        table.add_row("others", *_cells(found.others))
    table.add_section()
    for source, figures in found.by_source.items():
        table.add_row(f"by {source}", *_cells(figures))
    table.add_row("total", *_cells(found.total), style="bold")
    Console().print(table, highlight=False)
    if found.given_up:
        click.echo(f"{found.given_up:,} predictions given up: newer ones of their customers wait")


def _cells(figures: Figures) -> Iterator[str]:
    for count in (figures.predictions, figures.judged, figures.churned):
        yield f"{count:,}"
    for name in ("roc_auc", "average_precision", "brier", "calibration_error"):
        value = getattr(figures, name)
        yield "-" if value is None else f"{value:.4f}"
    yield f"{figures.profit:,.0f}"


def _window(settings: Settings, admin: Admin) -> tuple[dict[int, int], dict[int, int]]:
    """First offset and end (exclusive) of the input topic's partitions, as `--from` and `--to` say.

    Partitions that they do not name are read as a whole.
    """
    from churnstream.pipeline.window import resolve

    topic, own = settings.topics.input, settings.consumer
    starts, ends = admin.beginnings(topic), admin.ends(topic)
    if own.start:
        starts |= resolve(admin, topic, own.start, "--from")
    if own.end:
        ends |= resolve(admin, topic, own.end, "--to")
    return starts, ends

"""evaluate: how right the predictions were, once it is known who left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.errors import ChurnstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from churnstream.analysis.evaluation import Evaluation, Evaluator, QualityCounts
    from churnstream.pipeline.prediction_history import ScoredHistory
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


@click.command()
@click.option(
    "--every",
    type=click.Choice(["hour", "day", "week", "month"]),
    default="day",
    show_default=True,
    help="Periods, by the time of the scored event, UTC.",
)
@options.as_json()
@options.window
@options.model
@options.kafka
@options.with_settings
def evaluate(settings: Settings, every: str, as_json: bool) -> None:
    """Evaluate predictions by the labels that came later, over time.

    The window speaks of the scored events; labels count wherever they come behind those, also
    after the window. A prediction is evaluated by its customer's first label: that of the scored
    event itself, else of the next scored event that has one. Exit 1 if there is none.

    \b
    Example: churnstream evaluate --from 2026-11-01T00:00:00Z --every week
    """
    from functools import partial

    from churnstream.analysis.evaluation import Evaluator
    from churnstream.analysis.outcome_quality import quality_of
    from churnstream.cli.window_results import say_foreign
    from churnstream.kafka.admin import Admin
    from churnstream.model.source import load_for_topic
    from churnstream.pipeline.offset_ranges import offset_range
    from churnstream.pipeline.prediction_history import PredictionHistory

    model = load_for_topic(settings)
    admin = Admin(settings.kafka)
    starts, ends = offset_range(settings, admin)
    evaluator = Evaluator(model.schema, every)  # type: ignore[arg-type]  # click checks the choice
    history = PredictionHistory(
        settings, model.schema, admin, starts, admin.latest_offsets(settings.topics.input)
    )
    for batch in history.scored():
        _add(evaluator, batch, ends)
    say_foreign(history, settings)
    found = evaluator.build(partial(quality_of, model))
    if not found.total.judged:
        raise ChurnstreamError(
            f"nothing to evaluate: none of {found.total.predictions:,} predictions has a label yet"
        )
    if as_json:
        options.echo_json(found)
        return
    _print_evaluation(found)
    click.echo(
        f"on customers that it had not seen, model {model.version} had ROC AUC "
        f"{model.manifest.test.roc_auc:.4f} when it was trained; of those that it was trained on, "
        "the figures above say more good than is true"
    )


def _add(evaluator: Evaluator, batch: ScoredHistory, ends: Mapping[int, int]) -> None:
    positions = zip(batch.partitions, batch.offsets, strict=True)
    inside = [offset < ends.get(partition, 0) for partition, offset in positions]
    evaluator.add(batch.events, batch.probabilities, batch.says_yes, inside)


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
    for source, counts in found.by_source.items():
        table.add_row(f"by {source}", *_cells(counts))
    table.add_row("total", *_cells(found.total), style="bold")
    Console().print(table, highlight=False)
    if found.given_up:
        click.echo(f"{found.given_up:,} predictions given up: newer ones of their customers wait")


def _cells(counts: QualityCounts) -> Iterator[str]:
    for count in (counts.predictions, counts.judged, counts.churned):
        yield f"{count:,}"
    for name in ("roc_auc", "average_precision", "brier", "calibration_error"):
        value = getattr(counts, name)
        yield "-" if value is None else f"{value:.4f}"
    yield "-" if counts.profit is None else f"{counts.profit:,.0f}"

"""Tables for people: how good a model is, and what its threshold is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from churnstream.model.manifest import Manifest
    from churnstream.model.profit import Decision, Point


CHANCE = 0.5  # the ROC AUC of a guess
_HARDLY = 0.55


def show_model(manifest: Manifest, folder: Path) -> None:
    """Show how good a model is, what each threshold is worth, and where the model went."""
    rows = (
        (name, f"{getattr(manifest.test, name):.4f}", f"{spread.mean:.4f} ± {spread.std:.4f}")
        for name, spread in manifest.cross_validated.items()
    )
    table(("metric", "test", "over five folds"), rows)
    click.echo()
    decision = manifest.decision
    if manifest.choice:
        click.echo(f"{manifest.estimator}; {manifest.choice}")
    if manifest.schema.value is None:
        _show_without_value(manifest, folder)
        return
    points = sorted([*decision.curve[::10], decision.out_of_fold], key=lambda p: p.threshold)
    table(
        ("threshold", "offers", "profit per customer"),
        (
            (f"{p.threshold:.3f}", f"{p.offered:.1%}", f"{p.profit:,.2f}{_mark(p, decision)}")
            for p in points
        ),
    )
    offer = decision.offer
    neutral = " (cost-neutral: see docs/model.md)" if decision.cost_neutral else ""
    click.echo(
        f"an offer costs {offer.cost:,.2f}{neutral}, keeps {offer.success_rate:.0%} of the "
        f"churners, each for {offer.months_kept:g} months"
    )
    click.echo(
        f"model {manifest.version} saved in {folder}, threshold "
        f"{manifest.threshold:.3f} ({decision.rule}), "
        f"profit per held-out customer {decision.test.profit:,.2f}"
    )


def _show_without_value(manifest: Manifest, folder: Path) -> None:
    """Nobody knows what a customer is worth, so no profit is spoken of."""
    found, test = manifest.decision, manifest.test
    how = "as given" if found.rule == "fixed" else "the best F1"
    click.echo(
        f"model {manifest.version} saved in {folder}, threshold {manifest.threshold:.3f} ({how}; "
        "without a monthly value in the schema there is no profit to look for): "
        f"{test.recall:.0%} of those who left are found, and {test.precision:.0%} of those "
        "who are called leaving did leave"
    )


def warn_if_no_better_than_chance(manifest: Manifest) -> None:
    """Say on stderr that a model ranks the wrong way round, or hardly at all."""
    auc = manifest.cross_validated.get("roc_auc")
    if auc is None:
        return
    shown = f"ROC AUC over the folds {auc.mean:.3f} ± {auc.std:.3f}"
    if auc.mean + auc.std < CHANCE:
        click.echo(
            f"Warning: {shown} is below {CHANCE}, worse than chance; are the labels of the model "
            "or of the file the wrong way round?",
            err=True,
        )
    elif auc.mean - auc.std < CHANCE or auc.mean < _HARDLY:
        click.echo(
            f"Warning: {shown} is hardly better than chance, which is {CHANCE}: the fields say "
            "next to nothing of who leaves, or the customers are too few to tell",
            err=True,
        )


def _mark(point: Point, decision: Decision) -> str:
    return " ←" if point is decision.out_of_fold else "  "


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show a table: the first column to the left, the others to the right."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(header[0], box=None, header_style="bold", pad_edge=False)
    for name in header[1:]:
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = 160  # a pipe has no edge at which to cut cells
    console.print(shown)

"""train: fit a model, or compare kinds of models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import options, tables
from churnstream.cli.customer_source import labelled_customers, say_if_example
from churnstream.cli.progress_bar import progress
from churnstream.cli.standard_streams import done_already
from churnstream.errors import ConfigurationError

if TYPE_CHECKING:
    from churnstream.model.manifest import Manifest
    from churnstream.model.profit import Offer
    from churnstream.model.tracking import Promote
    from churnstream.model.train import TrainedModel
    from churnstream.settings import Settings

_REPORT = Path("reports/model.md")


@click.command()
@options.schema
@options.dataset
@options.model_folder
@options.decision
@options.setting(
    "model.mlflow",
    "--mlflow/--no-mlflow",
    help="Log to MLflow: the run, the model as a version, its plots.",
)
@click.option(
    "--promote",
    type=click.Choice(["always", "better", "never"]),
    help="With --mlflow: when it becomes the champion; better: if it is not worse [better].",
)
@click.option("--compare", "comparing", is_flag=True, help="Compare kinds of models; save none.")
@click.option(
    "--report",
    type=options.ANY_PATH,
    help="With --compare: page for the figures; pictures and JSON in the folder of its name "
    "[reports/model.md].",
)
@options.as_json("The manifest, or the comparison, as JSON.")
@options.with_settings
def train(
    settings: Settings,
    promote: Promote | None,
    comparing: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Train on labelled customers, measure, and save the model.

    \b
    Examples: churnstream train --dataset customers.csv --model models/mine
              churnstream train --offer-cost 60 --offer-success-rate 0.25 --months-kept 12
              churnstream train --mlflow --promote never
              churnstream train --compare
    """
    if promote and (comparing or not settings.model.mlflow):
        raise ConfigurationError("--promote goes with --mlflow, and not with --compare")
    if report and not comparing:
        raise ConfigurationError("--report goes with --compare")
    if settings.model.mlflow:
        from churnstream.model.registry import require

        require()
    if comparing:
        _compare(settings, report or _REPORT, as_json)
        return
    _try_folder(settings)
    say_if_example(settings)
    trained, manifest = _train(settings)
    with done_already(f"the model is saved in {settings.model.path}"):
        if as_json:
            options.echo_json(manifest)
        else:
            tables.show_model(manifest, Path(settings.model.path))
    tables.warn_if_no_better_than_chance(manifest)
    if settings.model.mlflow:
        _register(settings, trained, manifest, promote or "better")


def train_and_save(settings: Settings) -> Manifest:
    """Train on the settings' data set and save where the settings say."""
    _try_folder(settings)
    return _train(settings)[1]


def _try_folder(settings: Settings) -> None:
    """Before the work of minutes: whether its result can be saved."""
    from churnstream.analysis.result_files import require_writable
    from churnstream.model.manifest import MANIFEST_NAME

    require_writable(folder_of(settings) / MANIFEST_NAME)


def _train(settings: Settings) -> tuple[TrainedModel, Manifest]:
    from churnstream.model.manifest import save
    from churnstream.model.train import train as fit

    own, folder = settings.model, folder_of(settings)
    schema, customers = labelled_customers(settings)
    with progress("training"):
        trained = fit(
            schema, customers, seed=own.seed, threshold=own.threshold, offer=offer_of(settings)
        )
        return trained, save(trained, folder)


def folder_of(settings: Settings) -> Path:
    """Where a new model is saved."""
    from churnstream.model.source import is_registered

    path = settings.model.path
    if is_registered(path):
        raise ConfigurationError(f"{path}: a model is saved in a folder; see --model")
    return Path(path)


def _register(
    settings: Settings, trained: TrainedModel, manifest: Manifest, promote: Promote
) -> None:
    from churnstream.model.tracking import NAME, register

    done = register(trained, manifest, Path(settings.model.path), promote)
    verdict = "now the champion" if done.promoted else "not the champion"
    click.echo(f"{NAME} version {done.version}: {verdict}; {done.reason}", err=True)


def offer_of(settings: Settings) -> Offer:
    """By which the profit of a threshold counts."""
    from churnstream.model.profit import Offer

    own = settings.model
    return Offer(own.offer_cost, own.offer_success_rate, own.months_kept)


def _compare(settings: Settings, report: Path, as_json: bool) -> None:
    from churnstream.analysis.result_files import require_writable
    from churnstream.model import compare, plots
    from churnstream.model.compared_kinds import COMPARED

    folder = report.with_suffix("")
    plots.require()  # before the long work, not after
    for path in (report, folder / "comparison.json"):
        require_writable(path)
    total = len(COMPARED) * compare.FOLDS * compare.REPEATS
    with progress("fits", total) as show:
        comparison, predictions = compare.compare(
            *labelled_customers(settings), COMPARED, seed=settings.model.seed, on_fold=show
        )
    files = [compare.save(comparison, folder)]
    files += plots.draw(predictions, offer_of(settings), folder)
    files.append(compare.write_page(report, comparison))
    if settings.model.mlflow:
        from churnstream.model.tracking import log_comparison

        log_comparison(comparison, files)
    if as_json:
        options.echo_json(comparison)
    else:
        tables.table(compare.HEADER, compare.table(comparison))
    click.echo(f"figures are in {report}, pictures in {folder}", err=as_json)

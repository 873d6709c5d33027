"""promote: a new model in the champion's place, if it is not worse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.standard_streams import done_already
from churnstream.errors import ConfigurationError, ModelError

if TYPE_CHECKING:
    from churnstream.model.promotion import PromotionVerdict
    from churnstream.model.scorer import Model
    from churnstream.settings import Settings


@click.command()
@click.argument("candidate", type=click.Path(file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only compare.")
@options.as_json("The verdict as JSON.")
@options.schema
@options.dataset
@options.model
@options.with_settings
def promote(settings: Settings, candidate: Path, dry_run: bool, as_json: bool) -> None:
    """Put the model in the folder CANDIDATE in the place of --model, unless it is worse.

    Both score the customers that were held out when the candidate was trained, so --dataset is the
    file that it was trained on. The better log loss wins; a difference that another split could
    bring about is none. Running consumers take the new model over by themselves.

    \b
    Examples: churnstream train --model models/candidate
              churnstream promote models/candidate --dry-run
    """
    from churnstream.model.manifest import load, put
    from churnstream.model.source import is_registered

    if is_registered(settings.model.path):
        raise ConfigurationError("--model must be a folder; in a registry: train --mlflow")
    trusted = settings.model.trusted_types
    model = load(candidate, trusted)
    better, reason = _compared(settings, model)
    if better and not dry_run:
        put(candidate, Path(settings.model.path), trusted)
    verdict = f"{model.version} {_verdict(better, dry_run)} the champion"
    with done_already(verdict):
        if as_json:
            options.echo_json({"version": model.version, "better": better, "reason": reason})
        else:
            click.echo(f"{verdict}: {reason}")


def _compared(settings: Settings, candidate: Model) -> PromotionVerdict:
    from churnstream.cli.customer_source import labelled_customers
    from churnstream.model.manifest import load
    from churnstream.model.promotion import PromotionVerdict, compare_with_champion
    from churnstream.model.train import digest_of, held_out

    champion, manifest = Path(settings.model.path), candidate.manifest
    if not champion.exists():
        return PromotionVerdict(True, "there was no champion")
    schema, customers = labelled_customers(settings)
    if digest_of(schema, customers) != manifest.data_sha256:
        raise ModelError(
            f"model {candidate.version} was trained on other customers; name their file: --dataset"
        )
    theirs = held_out(schema, customers, manifest.seed)
    trusted = settings.model.trusted_types
    return compare_with_champion(
        manifest.test.log_loss, schema, theirs, lambda: load(champion, trusted)
    )


def _verdict(better: bool, dry_run: bool) -> str:
    if dry_run:
        return "would become" if better else "would not become"
    return "is now" if better else "is not"

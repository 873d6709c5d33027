"""adopt: a pipeline of the user's own, made ready to score events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import options, tables
from churnstream.cli.customer_source import labelled_customers
from churnstream.cli.progress_bar import progress
from churnstream.cli.standard_streams import done_already

if TYPE_CHECKING:
    from churnstream.settings import Settings


@click.command()
@click.argument("pipeline", type=options.ANY_PATH)
@options.schema
@options.dataset
@options.model
@options.decision
@options.as_json("The manifest as JSON.")
@options.with_settings
def adopt(settings: Settings, pipeline: Path, as_json: bool) -> None:
    """Make a fitted scikit-learn classifier of yours ready to score events.

    PIPELINE is a .joblib, .pkl or .skops file. It gets the fields of the schema as a pandas frame.
    --dataset is a file of labelled customers that it has not seen: they measure it, set its
    threshold, and tell which categories it knows. A pickle or joblib file runs code when it is
    read, so adopt none of strangers; what is saved in --model runs none.

    \b
    Example: churnstream adopt churn.joblib --dataset unseen.csv --trust sklearn.tree._tree.Tree
    """
    from churnstream.cli.train import folder_of, offer_of
    from churnstream.model.adopt import adopt as take
    from churnstream.model.adopt import read_pipeline
    from churnstream.model.manifest import save

    own, folder = settings.model, folder_of(settings)
    with progress("measuring"):
        model = take(
            read_pipeline(pipeline, own.trusted_types),
            *labelled_customers(settings),
            seed=own.seed,
            threshold=own.threshold,
            offer=offer_of(settings),
        )
        manifest = save(model, folder, own.trusted_types)
    with done_already(f"the model is saved in {folder}"):
        if as_json:
            options.echo_json(manifest)
        else:
            tables.show_model(manifest, folder)
    tables.warn_if_no_better_than_chance(manifest)

"""batch-predict: a file of customers into a file of predictions, without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.customer_source import say_notes
from churnstream.cli.progress_bar import progress
from churnstream.cli.standard_streams import done_already
from churnstream.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from churnstream.settings import Settings


@click.command("batch-predict")
@click.option(
    "--input", "source", type=options.ANY_PATH, required=True, help="A file of customers."
)
@click.option(
    "--output", "target", type=options.ANY_PATH, required=True, help="CSV, Parquet or Excel."
)
@options.model
@options.with_settings
def batch_predict(settings: Settings, source: Path, target: Path) -> None:
    """Score a file of customers into another file: the same rows, with what is predicted.

    A row that cannot be scored keeps its place, with the reason in the column `error`. If none can,
    the exit code is 1.

    \b
    Example: churnstream batch-predict --input customers.csv --output scored.parquet
    """
    from churnstream.codecs.customer_rows import open_rows
    from churnstream.model.predict_file import score_file
    from churnstream.model.source import load

    if target.is_dir():
        raise DataError(f"cannot write {target}: it is a folder")
    if target.exists() and source.exists() and target.samefile(source):
        raise ConfigurationError(f"{target} is the file that is read; name another for --output")
    model = load(settings.model.path, settings.model.trusted_types)
    rows = open_rows(source, model.schema)
    say_notes(rows)
    with progress("rows scored") as show:
        scored, rejected = score_file(model, rows, target, on_rows=show)
    if not scored:
        raise DataError(rows.useless("scored", rejected))
    with done_already(f"the rows are in {target} all the same"):
        count = "1 row" if scored == 1 else f"{scored:,} rows"
        click.echo(f"{count} scored into {target}, {rejected.total:,} rejected (column error)")
        if rejected.total:
            click.echo(f"rejected: {rejected.in_words()}")

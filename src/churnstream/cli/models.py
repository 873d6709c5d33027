"""predict and batch-predict: the model without a broker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.progress import progress
from churnstream.cli.streams import done_already, read_stdin
from churnstream.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from churnstream.settings import Settings


@click.command()
@click.argument("customers", required=False)
@options.model
@options.with_settings
def predict(settings: Settings, customers: str | None) -> None:
    """Score customers given as JSON: an argument, a file, or stdin.

    One object, an array, or an object a line; `event_ts` may be missing. Refused ones are named on
    stderr, and make the exit code 1; so does an input without a customer.

    \b
    Examples: churnstream predict customer.json
              cat customers.jsonl | churnstream predict
    """
    import msgspec

    from churnstream.model.predict import score_one_by_one
    from churnstream.model.source import load
    from churnstream.records.rejection import Rejection

    model = load(settings.model.path, settings.model.trusted_types)
    number, refused = 0, False
    for number, outcome in enumerate(score_one_by_one(model, _texts(customers)), start=1):
        if isinstance(outcome, Rejection):
            refused = True
            click.echo(f"Error: customer {number}: {outcome}", err=True)
        else:
            click.echo(msgspec.json.encode(outcome).decode())
    if not number:
        raise DataError("there is no customer in the input, so nothing was scored")
    sys.exit(1 if refused else 0)


def _texts(customers: str | None) -> Iterator[bytes]:
    """Each customer's JSON, from wherever it comes."""
    from churnstream.model.predict import split_customers

    if customers is None or customers == "-":
        yield from split_customers(read_stdin())
    elif customers.lstrip().startswith(("{", "[")):
        yield from split_customers(customers.encode("utf-8", "surrogateescape"))
    else:
        try:
            yield from split_customers(Path(customers).read_bytes())
        except OSError as error:
            raise DataError(f"cannot read {customers}: {error.strerror}") from error


@click.command("batch-predict")
@click.option("--input", "source", type=options.ANY_PATH, required=True, help="CSV or Parquet.")
@click.option("--output", "target", type=options.ANY_PATH, required=True, help="CSV or Parquet.")
@options.model
@options.with_settings
def batch_predict(settings: Settings, source: Path, target: Path) -> None:
    """Score a file of customers into another file: the same rows, with what is predicted.

    A row that cannot be scored keeps its place, with the reason in the column `error`. If none can,
    the exit code is 1.

    \b
    Example: churnstream batch-predict --input customers.csv --output scored.parquet
    """
    from churnstream.files.dataset import open_dataset
    from churnstream.model.predict import score_file
    from churnstream.model.source import load

    dataset = open_dataset(source)
    if target.is_dir():
        raise DataError(f"cannot write {target}: it is a folder")
    model = load(settings.model.path, settings.model.trusted_types)
    with progress("rows scored") as show:
        scored, rejected = score_file(model, dataset, target, on_rows=show)
    if not scored:
        raise DataError(dataset.useless("scored", rejected))
    with done_already(f"the rows are in {target} all the same"):
        click.echo(
            f"{scored:,} rows scored into {target}, {rejected.total:,} refused (column error)"
        )
        if rejected.total:
            click.echo(f"refused: {rejected.in_words()}")

"""train, predict, batch-predict: the model without a broker."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import figures, options
from churnstream.cli.progress import progress
from churnstream.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from churnstream.config import Settings
    from churnstream.messages import CustomerEvent
    from churnstream.model.manifest import Manifest
    from churnstream.model.profit import Offer


@click.command()
@options.dataset
@options.model
@options.setting("model.seed", "--seed", type=int, help="Split and folds [42].")
@options.setting(
    "model.threshold",
    "--threshold",
    metavar="profit|f1|NUMBER",
    help="What the threshold maximises, or the threshold [profit].",
)
@options.setting(
    "model.offer_cost",
    "--offer-cost",
    type=float,
    help="Cost of an offer; by default what offers to everybody would bring in.",
)
@options.setting(
    "model.offer_success_rate",
    "--offer-success-rate",
    type=float,
    help="Share of the churners whom an offer keeps [0.3].",
)
@options.setting(
    "model.months_kept",
    "--months-kept",
    type=float,
    help="Months of revenue from each who is kept [12].",
)
@click.option("--json", "as_json", is_flag=True, help="The manifest as JSON.")
@options.with_settings
def train(settings: Settings, as_json: bool) -> None:
    """Train on labelled customers, measure, and save the model.

    \b
    Examples: churnstream train --dataset customers.csv --model models/mine
              churnstream train --offer-cost 60 --offer-success-rate 0.25 --months-kept 12
    """
    manifest = train_and_save(settings)
    if as_json:
        options.echo_json(manifest)
    else:
        figures.show_model(manifest, settings.model.path)


def train_and_save(settings: Settings) -> Manifest:
    """Train on the settings' data set and save where the settings say."""
    from churnstream.model.manifest import save
    from churnstream.model.train import train as fit

    customers, own = _customers(settings), settings.model
    with progress("training"):
        trained = fit(customers, seed=own.seed, threshold=own.threshold, offer=_offer(settings))
        return save(trained, own.path)


def _customers(settings: Settings) -> list[CustomerEvent]:
    """All customers of the settings' data set that can be used."""
    import structlog

    from churnstream.dataset import open_dataset
    from churnstream.encoding import decode_rows
    from churnstream.messages import CustomerEvent

    now = datetime.now(UTC)
    dataset = open_dataset(settings.producer.dataset)
    events, refused = [], 0
    for batch in dataset.batches(10_000):
        rows = decode_rows(batch, now)
        good = [row for row in rows if isinstance(row, CustomerEvent)]
        refused += len(rows) - len(good)
        events += good
    if refused:
        structlog.get_logger(__name__).warning(
            "rows_left_out", rows=refused, of=len(events) + refused, file=dataset.name
        )
    return events


def _offer(settings: Settings) -> Offer:
    from churnstream.model.profit import Offer

    own = settings.model
    return Offer(own.offer_cost, own.offer_success_rate, own.months_kept)


@click.command()
@click.argument("customers", required=False)
@options.model
@options.with_settings
def predict(settings: Settings, customers: str | None) -> None:
    """Score customers given as JSON: an argument, a file, or stdin.

    One object, an array, or an object a line; `event_ts` may be missing. Refused ones are named on
    stderr, and make the exit code 1.

    \b
    Examples: churnstream predict customer.json
              cat customers.jsonl | churnstream predict
    """
    import msgspec

    from churnstream.messages import Rejection
    from churnstream.model.manifest import load
    from churnstream.model.predict import score_one_by_one

    model = load(settings.model.path)
    refused = False
    for number, outcome in enumerate(score_one_by_one(model, _texts(customers)), start=1):
        if isinstance(outcome, Rejection):
            refused = True
            click.echo(f"Error: customer {number}: {outcome}", err=True)
        else:
            click.echo(msgspec.json.encode(outcome).decode())
    sys.exit(1 if refused else 0)


def _texts(customers: str | None) -> Iterator[bytes]:
    """Each customer's JSON, from wherever it comes."""
    from churnstream.model.predict import split_customers

    if customers is None or customers == "-":
        yield from split_customers(sys.stdin.buffer.read())
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

    A row that cannot be scored keeps its place, with the reason in the column `error`.

    \b
    Example: churnstream batch-predict --input customers.csv --output scored.parquet
    """
    from churnstream.dataset import open_dataset
    from churnstream.model.manifest import load
    from churnstream.model.predict import score_file

    dataset = open_dataset(source)
    model = load(settings.model.path)
    with progress("rows scored") as show:
        scored, refused = score_file(model, dataset, target, on_rows=show)
    click.echo(f"{scored:,} rows scored into {target}, {refused:,} refused (column error)")

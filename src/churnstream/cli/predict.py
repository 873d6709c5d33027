"""predict: single customers, without a broker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.standard_streams import read_stdin
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

    One object, an array, or an object a line; `event_ts` may be missing. Rejected ones are named on
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
    number, rejected = 0, False
    for number, outcome in enumerate(score_one_by_one(model, _texts(customers)), start=1):
        if isinstance(outcome, Rejection):
            rejected = True
            click.echo(f"Error: customer {number}: {outcome}", err=True)
        else:
            click.echo(msgspec.json.encode(outcome).decode())
    if not number:
        raise DataError("there is no customer in the input, so nothing was scored")
    sys.exit(1 if rejected else 0)


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

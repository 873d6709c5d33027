"""What a customer is, and where the rows are, as a command's settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.errors import ConfigurationError

if TYPE_CHECKING:
    from churnstream.codecs.customer_rows import CustomerRows
    from churnstream.schema.record_types import Event
    from churnstream.schema.schema import Schema
    from churnstream.settings import Settings


def schema_of(settings: Settings) -> Schema:
    """What a customer is.

    Raises:
        ConfigurationError: The schema file cannot be read, or something in it is wrong.
    """
    from churnstream.schema import schema_file

    return schema_file.read(schema_file.find(settings.customers.schema_file))


def rows_of(settings: Settings) -> CustomerRows:
    """The file of customers: the one that is named, or the one that the schema was made from.

    Raises:
        ConfigurationError: None is known.
        DataError: It cannot be read, or lacks a column.
    """
    from churnstream.codecs.customer_rows import open_rows
    from churnstream.schema import schema_file

    path = schema_file.find(settings.customers.schema_file)
    schema = schema_file.read(path)
    named, origin = settings.producer.dataset, schema.file
    if named or not origin or not origin.path:
        if not named and path != schema_file.TELCO_FILE:
            raise ConfigurationError(
                f"{path} does not say where the rows are; name their file: --dataset"
            )
        rows = open_rows(named, schema)
    else:
        rows = open_rows(path.parent / origin.path, schema, origin.form)
    say_notes(rows)
    return rows


def say_if_example(settings: Settings) -> None:
    """Say on stderr that the customers are those that come along, since nobody named others."""
    from churnstream.schema import schema_file

    found = schema_file.find(settings.customers.schema_file)
    if found == schema_file.TELCO_FILE and not settings.producer.dataset:
        click.echo(
            "no customers.yaml here: training on the customers of the example; "
            "for yours, first: churnstream init FILE",
            err=True,
        )


def say_notes(rows: CustomerRows) -> None:
    """Say on stderr what was detected in a file."""
    for note in rows.notes:
        click.echo(f"{rows.file.name}: {note}", err=True)


def labelled_customers(settings: Settings) -> tuple[Schema, list[Event]]:
    """All customers of the settings' file that can be used to train or to measure.

    Raises:
        DataError: There are none; says why.
    """
    from churnstream.model.training_rows import labelled, usable

    rows = rows_of(settings)
    events, rejected = usable(rows)
    if rejected.total:
        count = f"{rejected.total:,} of {len(events) + rejected.total:,} rows left out"
        click.echo(f"{rows.file.name}: {count}: {rejected.in_words()}", err=True)
    known = labelled(rows.schema, events)
    if len(known) < len(events):
        count = f"{len(events) - len(known):,} of {len(events):,} customers"
        click.echo(f"{rows.file.name}: {count} have no label and are left out", err=True)
    return rows.schema, known

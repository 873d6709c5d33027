"""schemas: what a registry has to know of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.customer_source import schema_of

if TYPE_CHECKING:
    from churnstream.codecs.record_columns import RecordName
    from churnstream.schema.event_source import Format
    from churnstream.settings import Settings


@click.command()
@click.argument("record", type=click.Choice(["event", "prediction"]))
@click.option(
    "--format",
    "form",
    type=click.Choice(["avro", "protobuf", "json-schema"]),
    default="avro",
    show_default=True,
    help="Whose language it is in.",
)
@options.schema
@options.with_settings
def schemas(settings: Settings, record: RecordName, form: Format) -> None:
    """Show the schema of events or predictions, as it is registered.

    Where nobody but you may register schemas: do so under the topic's name with `-value` behind it,
    and give `produce` and `consume` the flag --no-register.

    \b
    Examples: churnstream schemas prediction
              churnstream schemas event --format protobuf
    """
    from churnstream.codecs.registered_schemas import registered_schema

    click.echo(registered_schema(record, schema_of(settings), form).text.rstrip("\n"))

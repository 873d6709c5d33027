"""export: the customers at risk now, as a file."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.customer_source import schema_of
from churnstream.cli.progress_bar import progress
from churnstream.cli.timestamps import timestamp
from churnstream.cli.window_results import say_passed_over
from churnstream.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from churnstream.analysis.customer_fields import CustomerFields
    from churnstream.analysis.customers_at_risk import CustomersAtRisk
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.newest_predictions import NewestColumns, NewestPredictions
    from churnstream.schema.schema import Schema
    from churnstream.settings import Settings

_STDOUT = Path("-")
_ROWS = 1000  # at once into a pipe


@click.command()
@click.option(
    "-o",
    "--output",
    "target",
    type=options.ANY_PATH,
    required=True,
    metavar="FILE",
    help="CSV, Parquet or Excel, by its suffix; - for CSV on stdout.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="The probability from which a customer is at risk [as predicted: Yes].",
)
@click.option("--top", type=click.IntRange(min=1), help="At most so many, the first ones.")
@click.option(
    "--segment",
    "segments",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Only customers of this segment; repeatable.",
)
@click.option(
    "--since",
    type=timestamp,
    metavar="TIMESTAMP",
    help="Only customers whose newest event is not older.",
)
@options.kafka
@options.with_settings
def export(
    settings: Settings,
    target: Path,
    threshold: float | None,
    top: int | None,
    segments: tuple[str, ...],
    since: datetime | None,
) -> None:
    """Write the customers at risk now into a file: who, how probable, what it costs, and why.

    A customer is taken by the newest prediction. First comes who would be the greatest loss a
    month, or is most likely to leave where the schema knows no value. With --newest-topic that
    topic is read in place of all predictions.

    \b
    Examples: churnstream export -o at-risk.xlsx
              churnstream export -o at-risk.csv --threshold 0.8 --top 100
              churnstream export -o - --segment Contract=Month-to-month
    """
    from churnstream.analysis.customer_fields import CustomerFields
    from churnstream.analysis.customer_list import customer_list
    from churnstream.kafka.admin import Admin

    schema = schema_of(settings)
    fields = CustomerFields(schema)
    wanted = [_segment(text, fields) for text in segments]
    _check_target(target)
    admin = Admin(settings.kafka)
    newest = _read(settings, schema, admin)
    found = _joined(settings, fields, admin, newest.chosen(threshold, since))
    table = customer_list(fields, found.listed(wanted, top))
    _write(target, table)
    _say(settings, table.num_rows, newest, found, target)


def _segment(text: str, fields: CustomerFields) -> tuple[str, str]:
    field, equals, wanted = text.partition("=")
    known = [segment.field for segment in fields.segments]
    if not equals or field not in known:
        expected = f"FIELD=VALUE with one of {', '.join(known)}" if known else "none: it has none"
        raise click.BadParameter(
            f"{text!r}: expected {expected}, which the schema's segments name",
            param_hint="--segment",
        )
    return field, wanted


def _check_target(target: Path) -> None:
    """Find out before the work what would fail after it."""
    from churnstream.analysis.result_files import require_writable
    from churnstream.files.table_writer import writer_of

    if target != _STDOUT:
        writer_of(target)
        require_writable(target)


def _read(settings: Settings, schema: Schema, admin: Admin) -> NewestPredictions:
    """Of each customer the newest prediction that is there now.

    Raises:
        DataError: There is none.
    """
    from churnstream.analysis.customer_list import reasons_writer
    from churnstream.kafka.scan import Scan
    from churnstream.pipeline.decoding import predictions_as_json
    from churnstream.pipeline.newest_predictions import NewestPredictions

    topic = settings.topics.newest or settings.topics.output
    as_json = predictions_as_json(settings)
    newest, read = NewestPredictions(schema, reasons_writer(schema), as_json), 0
    begins, ends = admin.earliest_offsets(topic), admin.latest_offsets(topic)
    with progress("predictions read") as show:
        for batch in Scan(settings.kafka, topic, begins, ends):
            newest.add(batch)
            show(read := read + len(batch))
    if not len(newest):
        count = newest.foreign
        records = "1 record is none" if count == 1 else f"{count:,} records are none"
        foreign = f" ({records})" if count else ""
        raise DataError(
            f"no predictions of customers {schema.name!r} in {topic}{foreign}; "
            f"make some with: {options.again('consume', settings)}"
        )
    return newest


def _joined(
    settings: Settings, fields: CustomerFields, admin: Admin, chosen: NewestColumns
) -> CustomersAtRisk:
    """The customers with what their events say."""
    from churnstream.analysis.customers_at_risk import CustomersAtRisk
    from churnstream.pipeline.source_events import SourceEvents

    found = CustomersAtRisk(
        fields,
        names=chosen.names,
        risks=chosen.kept["risk"],
        leaving=chosen.kept["leaving"],
        reasons=chosen.reasons,
        event_at=chosen.kept["event_at"],
        versions=chosen.versions,
    )
    with progress("events read") as show:
        done = 0
        for rows, events in SourceEvents(settings, fields.schema, admin, chosen):
            found.note_events(rows, events)
            show(done := done + len(rows))
    return found


def _write(target: Path, table: pa.Table) -> None:
    from churnstream.files.table_writer import SafeCsvWriter, write_table

    if target != _STDOUT:
        write_table(target, table)
        return
    buffer = io.BytesIO()
    with SafeCsvWriter(buffer, table.schema) as writer:
        for batch in table.to_batches(_ROWS):
            writer.write_batch(batch)
            _pass_on(buffer)
    _pass_on(buffer)


def _pass_on(buffer: io.BytesIO) -> None:
    """To stdout, whatever its encoding."""
    click.echo(buffer.getvalue().decode(), nl=False)
    buffer.seek(0)
    buffer.truncate()


def _say(
    settings: Settings, count: int, newest: NewestPredictions, found: CustomersAtRisk, target: Path
) -> None:
    """On stdout; on stderr where the customers themselves go there."""
    piped = target == _STDOUT
    where = "stdout" if piped else str(target)
    customers = "customer" if count == 1 else "customers"
    click.echo(f"{count:,} {customers} written to {where}, of {len(newest):,} scored", err=piped)
    if unknown := found.without_event:
        click.echo(
            f"of {unknown:,} at risk the event is no longer in {settings.topics.input}: what they "
            "are worth and their segments are not known, and they come last",
            err=True,
        )
    say_passed_over(newest.foreign, settings.topics.newest or settings.topics.output, "predictions")

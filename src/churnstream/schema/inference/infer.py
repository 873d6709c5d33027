"""From a table of text to a schema, with a finding for each column: what it is taken for, and why.

Nothing is guessed silently: what a file does not tell for certain becomes a question.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec
import pyarrow as pa

from churnstream.errors import ConfigurationError, DataError
from churnstream.schema.inference.columns import Column, column
from churnstream.schema.inference.field_types import old_dates
from churnstream.schema.inference.findings import Finding, finding
from churnstream.schema.inference.identify import Id, identify
from churnstream.schema.inference.label_column import Outcome, outcome
from churnstream.schema.inference.questions import Question, column_named
from churnstream.schema.inference.sorting import Sorting, sort_columns
from churnstream.schema.inference.summaries import monthly_value, segments
from churnstream.schema.schema import Label, Schema
from churnstream.schema.schema_checks import faults

_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,99}")
_NAME_LENGTH = 60
_NO_NAME = "customers"
_FEW = 50

PlainNumbers = Callable[[pa.Array], pa.Array]
"""From a column of texts to one in which numbers stand as JSON has them."""


class Inferred(msgspec.Struct, frozen=True):
    """What a table lets be known.

    Attributes:
        schema: None while a question is open.
        findings: One a column, in the order of the file.
        questions: What only the user can decide; infer again with the answers.
        notes: What else is to be said, a sentence each.
    """

    schema: Schema | None
    findings: tuple[Finding, ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]


def infer_schema(
    table: pa.Table | pa.RecordBatch,
    *,
    name: str,
    id: str | None = None,  # noqa: A002  # the schema's word for it
    label: str | None = None,
    value: str | float | None = None,
    leave_out: Sequence[str] = (),
    rows_in_all: int | None = None,
    plain: PlainNumbers | None = None,
) -> Inferred:
    """Infer what a customer is from a table of customers.

    Args:
        table: Texts, null where there is no value.
        name: Of the schema, see `name_for`.
        id: The column that names the customer, where the user says so.
        label: The column that says who left, or COLUMN=VALUE.
        value: The column of what a customer is worth a month, or that number for each.
        leave_out: Columns that are to be no features.
        rows_in_all: How many rows the file has, where the table is a sample of it.
        plain: Makes plain the numbers in a column as the file writes them, as 1.234,50.

    Raises:
        DataError: The table has no row, or nothing in it can be a feature.
        ConfigurationError: The user names a column or value that is not there.
    """
    columns = _columns(table, plain)
    by_user = {column_named(columns, n, "--leave-out").name for n in leave_out}
    offered = [c for c in columns if c.name not in by_user]
    label_found = outcome(offered, label)
    label_name = label_found.column.name if isinstance(label_found, Outcome) else None
    id_found = identify([c for c in offered if c.name != label_name], id)
    questions = tuple(f for f in (id_found, label_found) if isinstance(f, Question))
    the_id = id_found if isinstance(id_found, Id) else None
    the_label = label_found if isinstance(label_found, Outcome) else None
    found = sort_columns(columns, the_id, the_label, by_user)
    notes = list(_notes(table.num_rows, rows_in_all, label_found))
    schema = None
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name for topics: use small letters, digits, and . _ - inside"
        )
    if the_id and not questions:
        schema, more = _schema(name, the_id, the_label, found, value)
        notes += more
    findings = tuple(finding(c, the_id, the_label, found) for c in columns)
    return Inferred(schema, findings, questions, tuple(notes))


def name_for(path: Path) -> str:
    """The name of a schema made from a file: `telco_v11.csv` gives telco-v11."""
    stem = path.name.lstrip(".").partition(".")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:_NAME_LENGTH].rstrip("-")
    return slug or _NO_NAME


def _notes(rows: int, rows_in_all: int | None, label: Outcome | Question | None) -> Iterator[str]:
    if rows_in_all is not None and rows_in_all > rows:
        yield (
            f"this is said of a sample of {rows:,} out of {rows_in_all:,} rows; what is rare may "
            "be missing from it"
        )
    if rows < _FEW:
        yield f"{rows} rows are too few to be certain of types, bounds and values; read them again"
    if label is None:
        yield (
            "no column says who has left: customers of this schema can be scored, but no model "
            "be trained; --label COLUMN=VALUE names one"
        )


def _columns(table: pa.Table | pa.RecordBatch, plain: PlainNumbers | None) -> list[Column]:
    names = table.schema.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"the file has two columns {twice[0]}; rename one of them")
    if not table.num_rows:
        raise DataError("the file has a header and no row; there is nothing to infer from")
    return [_column(name, table.column(i), plain) for i, name in enumerate(names)]


def _column(name: str, values: pa.Array | pa.ChunkedArray, plain: PlainNumbers | None) -> Column:
    """A column, its numbers made plain if numbers are what it holds."""
    texts = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    numbers = plain(texts) if plain else texts
    if numbers is not texts and (found := column(name, numbers, texts)).is_numeric:
        return found
    return column(name, texts)


def _schema(
    name: str, the_id: Id, label: Outcome | None, found: Sorting, value: str | float | None
) -> tuple[Schema, list[str]]:
    """The schema that the findings make, and what is to be said of it."""
    fields, left_out, verdicts, event_time = found
    if not fields:
        raise DataError(
            f"nothing in the file can be a feature beside {the_id.column.name}; left out: "
            + ("; ".join(f"{name} {reason}" for name, reason in left_out.items()) or "nothing")
        )
    worth, note = monthly_value(fields, value)
    notes = [note, *([] if event_time else old_dates(fields, date.today()))]

    def strength(field: str) -> float:
        return verdicts[field].auc if field in verdicts else 0.0

    schema = Schema(
        name=name,
        id=the_id.column.name,
        label=Label(label.column.name, label.churned, label.stayed) if label else None,
        fields={f.column.name: f.field for f in fields},
        event_time=event_time,
        value=worth,
        left_out=left_out,
        segments=segments(fields, strength),
    )
    for where, problem in faults(schema):
        raise DataError(f"column {where[-1]}: {problem}")
    return schema, notes

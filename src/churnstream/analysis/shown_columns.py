"""The fields by which pages and tables show customers, and what stands above them."""

from functools import lru_cache
from typing import Any, NamedTuple

from churnstream.analysis.top_customers import shown_fields
from churnstream.schema.fields import Boolean, Integer, Numeric
from churnstream.schema.schema import Schema, Segment
from churnstream.schema.segments import text_of, title_of, words_of


class ShownColumn(NamedTuple):
    """A field as a column of a table.

    Attributes:
        attribute: Of events, and of the summary's top customers.
        decimals: Of a number.
    """

    field: str
    attribute: str
    title: str
    is_flag: bool
    is_number: bool
    decimals: int


@lru_cache(maxsize=16)
def shown_columns(schema: Schema) -> tuple[ShownColumn, ...]:
    """A column for each of `shown_fields`, numbers first."""
    found = [column_of(schema, name) for name in shown_fields(schema)]
    return tuple(sorted(found, key=lambda column: not column.is_number))


def column_of(schema: Schema, name: str) -> ShownColumn:
    """A field as a column."""
    field = schema.fields[name]
    titles = {segment.field: title_of(segment) for segment in schema.breakdowns}
    return ShownColumn(
        field=name,
        attribute=schema.attributes[name],
        title=titles.get(name) or title_of(Segment(name)),
        is_flag=isinstance(field, Boolean),
        is_number=isinstance(field, Numeric),
        decimals=0 if isinstance(field, Integer) else 2,
    )


def text_in(schema: Schema, column: ShownColumn, customer: Any) -> str:  # noqa: ANN401  # a Struct
    """What a customer's event says in a column that is no number, for people to read."""
    return text_of(schema.fields[column.field], getattr(customer, column.attribute))


def heading_of(segment: Segment) -> str:
    """What stands above the customers by a segment, as "By contract"."""
    return f"By {segment.title or words_of(segment.field)}"

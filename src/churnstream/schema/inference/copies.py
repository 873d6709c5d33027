"""Columns that say what another one says, under the same or other names for it."""

from collections.abc import Sequence

import numpy as np

from churnstream.escaping import quote
from churnstream.schema.inference.columns import Column
from churnstream.schema.inference.label_column import signature

_LEAST_OTHER = 10  # rows that do not have the commonest value: fewer agree by chance
_LEAST_TOGETHER = 5  # rows
_MOSTLY_DISTINCT = 0.5  # of the rows: from there on any two columns go one to one


def copies(columns: Sequence[Column]) -> dict[str, str]:
    """By column that says the same as an earlier one, in words which."""
    first: dict[bytes, Column] = {}
    found: dict[str, str] = {}
    for column in columns:
        key = _key(column)
        other = column if key is None else first.setdefault(key, column)
        if other is not column:
            found[column.name] = _reason(column, other)
    return found


def _key(column: Column) -> bytes | None:
    """The same for two columns that go one to one; None where that would say nothing."""
    if column.filled - int(column.counts.max(initial=0)) < _LEAST_OTHER or not column.name:
        return None
    key = signature(column)
    if column.distinct <= _MOSTLY_DISTINCT * column.filled:
        return key
    values = column.numbers if column.is_numeric else np.array(column.texts)
    return key + values.tobytes()


def _reason(column: Column, other: Column) -> str:
    if _same_values(column, other):
        return f"the same as {other.name} in every row"
    mine, theirs = (quote(c.texts[0]) for c in (column, other))
    return f"says the same as {other.name} in every row, as {mine} for {theirs}"


def _same_values(column: Column, other: Column) -> bool:
    if column.is_numeric and other.is_numeric:
        return bool(np.array_equal(column.numbers, other.numbers, equal_nan=True))
    return column.texts == other.texts


def missing_where(column: Column, columns: Sequence[Column]) -> str | None:
    """In words, which value of another column stands exactly where this one is missing."""
    rows = np.flatnonzero(column.codes < 0)
    if len(rows) < _LEAST_TOGETHER:
        return None
    for other in columns:
        code = int(other.codes[rows[0]])
        if code < 0 or other.counts[code] != len(rows) or other.distinct == 1:
            continue
        if (other.codes[rows] == code).all():
            return f"missing exactly where {other.name} is {quote(other.texts[code])}"
    return None

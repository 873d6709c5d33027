"""Which column names the customer."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from churnstream.errors import ConfigurationError
from churnstream.schema.inference.columns import Column
from churnstream.schema.inference.questions import Candidate, Question, column_named
from churnstream.schema.inference.vocabulary import id_rank, is_counter_name

_MOSTLY_DISTINCT = 0.5  # of the rows; an id whose name says so may name fewer customers
_LEAST_DISTINCT = 0.02
_OF_A_CUSTOMER = 3  # see `id_rank`
_SCIENTIFIC = re.compile(r"\d[.,]\d+[eE]\+?\d+")


class Id(NamedTuple):
    """The column that names the customer, and why."""

    column: Column
    why: str


def identify(columns: Sequence[Column], given: str | None) -> Id | Question:
    """The id of a table, or a question where two candidates are equal or none is certain.

    Raises:
        ConfigurationError: The user names what is not there, or is always empty.
    """
    if given is not None:
        column = column_named(columns, given, "--id")
        if not column.filled:
            raise ConfigurationError(f"--id: {column.name} is empty in every row; name another one")
        return Id(column, f"as you say; {_described(column)}")
    ranked = [(_rank(c), c) for c in columns if _may_be(c)]
    ranked.sort(key=lambda r: r[0], reverse=True)
    best = [c for rank, c in ranked if rank == ranked[0][0]]
    if not best:
        return _question([c for c in columns if c.name and c.is_unique and c.is_whole])
    (name_rank, _, is_counter), _ = ranked[0]
    if len(best) > 1 or not (name_rank > 1 or is_counter == 0):
        return _question(best)
    why = _described(best[0])
    return Id(best[0], why if name_rank > 1 else f"{why}; no better one is there")


def _question(candidates: Sequence[Column]) -> Question:
    if not candidates:
        return Question("id", "no column names the customers; add one with a number for each", ())
    shown = tuple(Candidate(c.name, c.name, _described(c)) for c in candidates)
    return Question("id", "which column names the customer?", shown)


def is_counter(column: Column) -> bool:
    """Whether a column numbers the rows: each one more than the one before."""
    if not column.is_unique or column.filled < column.rows or not column.is_whole:
        return False
    by_row = column.by_row(column.numbers)
    steps = np.diff(by_row)
    if is_counter_name(column.name) and len(steps):
        return bool((steps > 0).all())  # of a sample, too
    return len(steps) > 0 and by_row[0] in (0, 1) and bool((steps == 1).all())


def _may_be(column: Column) -> bool:
    """Whether a column may name customers: whole numbers or texts, mostly one a row."""
    if not column.name or not column.filled or (column.is_numeric and not _is_whole(column)):
        return False
    if column.is_date("year-first") or column.is_date("day-first"):
        return False
    rank, share = id_rank(column.name), column.distinct / column.filled
    if rank == _OF_A_CUSTOMER:
        return share >= _LEAST_DISTINCT
    if rank > 1:
        return share >= _MOSTLY_DISTINCT
    return column.is_unique and (rank > 0 or not column.is_numeric or is_counter(column))


def _is_whole(column: Column) -> bool:
    """Whether a column holds whole numbers, those included that are too large to compute with."""
    return column.is_whole or all(text.lstrip("-").isdecimal() for text in column.texts)


def _rank(column: Column) -> tuple[int, bool, int]:
    """By what the name says, whether it is unique, and whether it is more than a counter."""
    rank = id_rank(column.name)
    return rank, column.is_unique, int(rank > 1 or not is_counter(column))


def _described(column: Column) -> str:
    if column.is_unique:
        words = "another one in every row"
    else:
        words = f"{column.distinct:,} different ones in {column.filled:,} rows"
        words += ": some customers stand there more than once"
    if is_counter(column):
        words += "; counts the rows"
    if cut := next((text for text in column.texts if _SCIENTIFIC.fullmatch(text)), None):
        words += f"; a spreadsheet has cut some off, as {cut}: export the column as text"
    missing = column.rows - column.filled
    return words + (f"; {missing:,} rows without one are rejected" if missing else "")

"""The columns of a table by what becomes of them: a field, or left out with a reason."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from churnstream.schema.inference.columns import Column
from churnstream.schema.inference.copies import copies, missing_where
from churnstream.schema.inference.field_types import Typed, date_order, typed
from churnstream.schema.inference.identify import Id
from churnstream.schema.inference.label_column import Outcome
from churnstream.schema.inference.leaks import LeakVerdict, filled_only, leaks
from churnstream.schema.inference.vocabulary import is_period, says_when_observed
from churnstream.schema.schema_checks import fault_of_name


class Sorting(NamedTuple):
    """The columns of a table by what becomes of them.

    Attributes:
        left_out: By name, why.
        verdicts: By name, what is known of the column beside the label.
        event_time: The column that says when a row was observed.
    """

    fields: list[Typed]
    left_out: dict[str, str]
    verdicts: Mapping[str, LeakVerdict]
    event_time: str | None


def sort_columns(
    columns: Sequence[Column], the_id: Id | None, label: Outcome | None, by_user: set[str]
) -> Sorting:
    """Find out what each column is, those for which there is a role already left aside.

    Args:
        by_user: Names of the columns that are to be left out in any case.
    """
    taken = [found.column for found in (label, the_id) if found]
    names = {column.name for column in taken}
    offered = [c for c in columns if c.name not in names | by_user]
    time = next((c.name for c in offered if _is_time(c, the_id)), None)
    left_out = _unusable([c for c in columns if c.name != time], by_user)
    others = [c for c in columns if c.name not in {*names, *left_out, time}]
    fields, useless = _typed(others, label)
    left_out |= useless | _copies(taken, [f.column for f in fields], the_id)
    fields = [f for f in fields if f.column.name not in left_out]
    verdicts = leaks(fields, label) if label else {}
    left_out |= {name: verdict.leak for name, verdict in verdicts.items() if verdict.leak}
    return Sorting(
        _with_missing([f for f in fields if f.column.name not in left_out]),
        {c.name: left_out[c.name] for c in columns if c.name in left_out},
        verdicts,
        time,
    )


def _is_time(column: Column, the_id: Id | None) -> bool:
    """Whether a column says when a row was true: by its name, or in a panel of customers."""
    if column.filled < column.rows or not column.is_date("year-first"):
        return False
    if says_when_observed(column.name):
        return True
    if not is_period(column.name) or the_id is None or the_id.column.is_unique:
        return False
    rows = np.unique(the_id.column.codes * (column.distinct + 1) + column.codes)
    return len(rows) == column.rows  # a row for each customer and period


def _copies(taken: Sequence[Column], fields: Sequence[Column], the_id: Id | None) -> dict[str, str]:
    """Columns that say what another one does.

    An amount that is another one for each customer goes one to one with an id that repeats.
    """
    found = copies([*taken, *fields])
    if the_id is None or the_id.column.is_unique:
        return found
    own = copies([column for column in (*taken, *fields) if column.name != the_id.column.name])
    amounts = {column.name for column in fields if column.is_numeric and not column.is_whole}
    return {name: why for name, why in found.items() if name not in amounts or name in own}


def _unusable(columns: Sequence[Column], by_user: set[str]) -> dict[str, str]:
    """Columns that cannot be a field whatever they hold, or are not to be one."""
    found: dict[str, str] = {}
    seen: dict[str, str] = {}
    for c in columns:
        twin = seen.setdefault(c.name.lower(), c.name)
        if c.name in by_user:
            found[c.name] = "left out by whoever ran init"
        elif c.name and (fault := fault_of_name(c.name)):
            found[c.name] = fault
        elif twin != c.name:
            found[c.name] = f"differs from {twin} by case alone; rename it to keep it"
    return found


def _typed(columns: Sequence[Column], label: Outcome | None) -> tuple[list[Typed], dict[str, str]]:
    """The columns that can be fields, and why the others cannot."""
    order = date_order(columns)
    fields: list[Typed] = []
    useless: dict[str, str] = {}
    for c in columns:
        found = typed(c, order)
        if isinstance(found, Typed):
            fields.append(found)
        else:
            leak = filled_only(c, label) if label and c.filled else None
            useless[c.name] = leak or found
    return fields, useless


def _with_missing(fields: Sequence[Typed]) -> list[Typed]:
    """The same fields, with a word on those that are missing where another one has some value."""
    columns = [f.column for f in fields]
    where = [missing_where(c, columns) for c in columns]
    return [
        f._replace(remark="; ".join([f.remark, w] if f.remark else [w])) if w else f
        for f, w in zip(fields, where, strict=True)
    ]

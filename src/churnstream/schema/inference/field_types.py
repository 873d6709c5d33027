"""What a column of text is a field of: its type, bounds and values, or why it is none."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple

import numpy as np

from churnstream.escaping import quote
from churnstream.schema.dates import Order
from churnstream.schema.fields import AnyField, Boolean, Category, Date, Integer, Number
from churnstream.schema.inference.columns import Column, Flags, Numbers
from churnstream.schema.inference.identify import is_counter
from churnstream.schema.inference.vocabulary import (
    flag,
    is_code,
    is_counter_name,
    is_money,
    may_be_negative,
    names_something,
)

_CLOSED = 20  # values that are always taken for all that there are
_MOST_CLOSED = 100  # values, if each of them stands in several rows
_SEVERAL = 5
_OFTEN = 20  # rows from which a value of a long tail is one to learn from
_LEAST_OFTEN = 0.2  # of the rows must have such a value
_FEW_ROWS = 50  # under which nothing is said of how often values stand there
_SURE_OF_SIGN = 100  # values without a negative one
_NEAR_UNIQUE = 0.5  # of the rows
_LONG = 200  # characters of a text that is no category
_BINARY = 2
_OLD = 60  # days
_CONSTANT_MISSING = 0.01
_TWO_DIGITS = re.compile(r"^\d{1,2}\D+\d{1,2}\D+\d\d$|^\d{1,2}\D+\d\d$", re.ASCII)
_WITH_UNIT = re.compile(r"[-+]?\d+(?:[.,]\d+)?\s*([^\W\d_]{1,10})\.?")


class Typed(NamedTuple):
    """A field as a column lets it be known.

    Attributes:
        order: By distinct value, the number or day that it is; None if it has no such meaning.
        why: In words.
        remark: What else is to be said of it, in words.
    """

    column: Column
    field: AnyField
    order: Numbers | None
    why: str
    remark: str = ""


def typed(column: Column, default_order: Order | None) -> Typed | str:
    """The field that a column is, or in words why it is none.

    Args:
        default_order: What comes first in the other dates of the file, where that is known.
    """
    if reason := _nothing_to_learn(column):
        return reason
    if pair := flag(column.texts):
        return Typed(column, _boolean(column, pair), None, f"{pair[0]} or {pair[1]}")
    if dates := _date(column, default_order):
        return dates
    if column.is_numeric:
        return _numeric(column)
    return _category(column, "value")


def date_order(columns: Sequence[Column]) -> Order | None:
    """What comes first in the numeric dates of a file, if those that tell agree."""
    found = {orders[0] for c in columns if len(orders := _orders(c)) == 1} - {"year-first"}
    return found.pop() if len(found) == 1 else None


def old_dates(fields: Sequence[Typed], today: date) -> list[str]:
    """In words, that the dates of a file end long before today, from which days are counted."""
    newest = {
        f.column.name: int(np.nanmax(f.order))
        for f in fields
        if isinstance(f.field, Date) and f.order is not None
    }
    age = today.toordinal() - max(newest.values(), default=today.toordinal())
    if age <= _OLD:
        return []
    name = max(newest, key=lambda n: newest[n])
    return [
        f"the newest date is {date.fromordinal(newest[name])}, in {name}; a model sees the days up "
        "to the reading of a row, here "
        f"{age:,} and more: if the file is of an earlier day, add a column snapshot_date with it"
    ]


def _nothing_to_learn(column: Column) -> str | None:
    if not column.filled:
        return "is empty in every row"
    if column.distinct == 1 and column.rows - column.filled <= _CONSTANT_MISSING * column.rows:
        return f"is {quote(column.texts[0])} in every row" + (column.filled < column.rows) * (
            " that has a value"
        )
    if is_counter(column) or (is_counter_name(column.name) and column.is_unique):
        return "counts the rows"
    if not column.name.strip():
        return "has no name, as the index that a program writes along"
    near_unique = column.rows >= _FEW_ROWS and column.distinct > _NEAR_UNIQUE * column.filled
    if near_unique and names_something(column.name) and (column.is_whole or not column.is_numeric):
        return f"names something else than the customer, {_many(column, 'value')}"
    return None


def _boolean(column: Column, pair: tuple[str, str]) -> Boolean:
    missing = _missing(column)
    return Boolean(missing=missing) if pair == ("0", "1") else Boolean(values=pair, missing=missing)


def _orders(column: Column) -> list[Order]:
    """In which orders a column of dates can be read; empty if it holds none."""
    if column.is_numeric:
        return []
    orders: tuple[Order, ...] = ("year-first", "day-first", "month-first")
    found = [order for order in orders if column.is_date(order)]
    if "year-first" in found:
        return ["year-first"]
    if len(found) > 1:  # a stray 13 in the month decides, if it is no mistake
        count = {order: int(np.isfinite(column.days(order)).sum()) for order in found}
        best = max(count.values())
        found = [order for order in found if count[order] == best]
    if len(found) > 1 and all("." in text for text in column.texts):
        return ["day-first"]  # nobody writes 12.31.2026
    return found


def _date(column: Column, default: Order | None) -> Typed | None:
    orders = _orders(column)
    if not orders:
        return None
    order = default if default in orders and default else orders[0]
    remarks: list[str] = []
    if len(orders) > 1:
        other = "as in the file's other dates" if default else f"not certain: {order} is assumed"
        remarks = [f"no value tells the day from the month, {other}"]
    if any(_TWO_DIGITS.search(text) for text in column.texts):
        remarks.append("years of two digits are 1969 to 2068")
    days = column.days(order)
    remarks += _broken(column, np.isfinite(days))
    why = f"dates, {order.replace('-', ' ')}"
    field = Date(order=order, missing=_missing(column))
    return Typed(column, field, days, why, "; ".join(remarks))


def _numeric(column: Column) -> Typed | str:
    if column.is_whole and (column.has_leading_zeros or is_code(column.name)):
        return _category(column, "code")
    numbers = column.numbers
    fits = np.isfinite(numbers)
    lowest, highest = float(numbers[fits].min()), float(numbers[fits].max())
    is_positive = lowest >= 0 and (
        column.filled >= _SURE_OF_SIGN and not may_be_negative(column.name)
    )
    missing = _missing(column)
    why = f"from {_shown(lowest)} to {_shown(highest)}"
    field: AnyField
    if column.is_whole and not (column.has_fractions or is_money(column.name)):
        kind = f"whole numbers {why}"
        field = Integer(min=0, missing=missing) if is_positive else Integer(missing=missing)
    else:
        kind = f"numbers {why}"
        field = Number(min=0.0, missing=missing) if is_positive else Number(missing=missing)
    return Typed(column, field, numbers, kind, "; ".join(_broken(column, fits)))


def _shown(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)


def _category(column: Column, word: str) -> Typed | str:
    missing, remark = _missing(column), _unit(column)
    few = column.distinct <= _MOST_CLOSED and int(column.counts.min()) >= _SEVERAL
    if few or column.distinct <= _CLOSED:
        values = tuple(sorted(column.texts))
        why = f"{len(values)} {word}s" if len(values) > 1 else f"{quote(values[0])} or nothing"
        return Typed(column, Category(values=values, missing=missing), None, why, remark)
    often = column.counts[column.counts >= _OFTEN].sum() / column.filled
    if column.rows >= _FEW_ROWS and often < _LEAST_OFTEN:
        words = f"{_many(column, word)}, too few rows each to learn from"
        return f"{words}; {remark}" if remark else words
    if max(map(len, column.texts)) > _LONG:
        return f"{_many(column, word)}, up to {max(map(len, column.texts)):,} characters long"
    tail = "a long tail, in which rare and new ones count as other"
    remark = f"{tail}; {remark}" if remark else tail
    why = f"{column.distinct:,} {word}s"
    return Typed(column, Category(unknown="other", missing=missing), None, why, remark)


def _unit(column: Column) -> str:
    """In words, that the values are numbers with the same unit behind them."""
    found = [_WITH_UNIT.fullmatch(text) for text in column.texts]
    units = {match[1] for match in found if match}
    if column.distinct <= _BINARY or not all(found) or len({u.rstrip("s") for u in units}) != 1:
        return ""
    return f"numbers with {max(units, key=len)} behind them; to have them as such, take that off"


def _many(column: Column, word: str) -> str:
    kind = word if word == "code" or column.is_numeric else "text"
    return f"{column.distinct:,} different {kind}s in {column.filled:,} rows"


def _missing(column: Column) -> Literal["reject", "allow"]:
    return "allow" if column.filled < column.rows else "reject"


def _broken(column: Column, fits: Flags) -> list[str]:
    if fits.all():
        return []
    count, example = column.strangers(fits)
    rows = "1 row holds" if count == 1 else f"{count:,} rows hold"
    return [f"{rows} something else, as {quote(example)}, and will be rejected"]

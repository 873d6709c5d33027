"""What summaries of a schema's customers go by: what one is worth a month, and the segments."""

from collections.abc import Callable, Sequence

import numpy as np

from churnstream.errors import ConfigurationError
from churnstream.schema.fields import Boolean, Category, Numeric
from churnstream.schema.inference.columns import Column, Numbers
from churnstream.schema.inference.field_types import Typed
from churnstream.schema.inference.questions import column_named
from churnstream.schema.inference.vocabulary import counts_months, is_monthly_value
from churnstream.schema.schema import Segment
from churnstream.schema.values import as_number

_SEGMENT_VALUES = range(2, 9)
_MAX_CATEGORIES = 3
_LEAST_SHARE = 0.01  # of the rows, for each value of a segment
_LEAST_TOLD = 0.55  # ROC AUC of a segment beyond the first
_ALIKE = 0.6  # Cramér's V of two categories that break customers down the same way
_LEAST_BANDED = 10  # values of a number that is worth bands
_YEARS = (12.0, 24.0, 48.0, 72.0)  # months
_ROUND = (1.0, 5.0)
_QUANTILES = (0.25, 0.5, 0.75)

Strength = Callable[[str], float]
"""Of a field, how well it tells who left; higher is better, 0 if nobody knows."""


def monthly_value(
    fields: Sequence[Typed], given: str | float | None
) -> tuple[str | float | None, str]:
    """What a customer is worth a month, as a schema has it, and why in words.

    Args:
        given: What the user says: a field, or a number for each customer.

    Raises:
        ConfigurationError: The user names no numeric field, or a number below 0.
    """
    if given is not None:
        return _given_value(fields, given)
    named = [f for f in fields if isinstance(f.field, Numeric) and is_monthly_value(f.column.name)]
    names = " or ".join(f.column.name for f in named)
    reason = "no column says it" if not named else f"it may be {names}"
    if len(named) == 1:
        if not _goes_below_zero(named[0]):
            return names, f"{names} is taken for what a customer is worth a month"
        reason = f"{names} goes below 0"
    return None, (
        f"what a customer is worth a month is not known, {reason}; so customers are counted, not "
        "money, unless --value names a column or a number"
    )


def _given_value(fields: Sequence[Typed], given: str | float) -> tuple[str | float, str]:
    names = [f.column.name for f in fields]
    number = None if given in names else as_number(given)
    if number is not None and number < 0:
        raise ConfigurationError(f"--value: {number:g} is below 0; what is a customer worth?")
    if number is not None:
        return float(number), f"every customer is worth {number:g} a month, as you say"
    name = column_named([f.column for f in fields], str(given), "--value").name
    if not isinstance(fields[names.index(name)].field, Numeric):
        raise ConfigurationError(f"--value: {name} holds no numbers; name a column that does")
    return name, f"{name} is what a customer is worth a month, as you say"


def _goes_below_zero(field: Typed) -> bool:
    return field.order is not None and bool(np.nanmin(field.order) < 0)


def segments(fields: Sequence[Typed], strength: Strength) -> tuple[str | Segment, ...]:
    """By which fields to break customers down: those that tell most of who leaves, and differ."""
    candidates = [
        f for f in fields if isinstance(f.field, Category | Boolean) and _has_few_values(f.column)
    ]
    candidates.sort(key=lambda f: -strength(f.column.name))
    chosen: list[Column] = []
    for f in candidates:
        tells = not chosen or not 0 < strength(f.column.name) < _LEAST_TOLD
        if (
            tells
            and len(chosen) < _MAX_CATEGORIES
            and all(_alike(f.column, c) < _ALIKE for c in chosen)
        ):
            chosen.append(f.column)
    names: list[str | Segment] = [c.name for c in chosen]
    return (*names, *_banded(fields, strength))


def _has_few_values(column: Column) -> bool:
    return column.distinct in _SEGMENT_VALUES and bool(
        column.counts.min() >= _LEAST_SHARE * column.rows
    )


def _alike(a: Column, b: Column) -> float:
    """Cramér's V of two columns: 0 if one tells nothing of the other, 1 if everything."""
    both = (a.codes >= 0) & (b.codes >= 0)
    table = np.zeros((a.distinct, b.distinct))
    np.add.at(table, (a.codes[both], b.codes[both]), 1)
    expected = np.outer(table.sum(1), table.sum(0)) / max(table.sum(), 1)
    chi2 = np.where(expected > 0, (table - expected) ** 2 / np.maximum(expected, 1e-9), 0).sum()
    return float(np.sqrt(chi2 / max(table.sum() * (min(table.shape) - 1), 1)))


def _banded(fields: Sequence[Typed], strength: Strength) -> list[Segment]:
    candidates = [
        f for f in fields if isinstance(f.field, Numeric) and f.column.distinct >= _LEAST_BANDED
    ]
    for f in sorted(candidates, key=lambda f: -strength(f.column.name)):
        if f.order is not None and (edges := _edges(f.column, f.order)):
            return [Segment(f.column.name, edges)]
    return []


def _edges(column: Column, order: Numbers) -> tuple[float, ...]:
    """Where the bands of a number end: at years for months, else near the quartiles, rounded."""
    numbers = column.by_row(order)
    numbers = numbers[np.isfinite(numbers)]
    years = tuple(edge for edge in _YEARS if edge <= numbers.max())
    if counts_months(column.name) and len(years) > 1 and numbers.max() <= 2 * _YEARS[-1]:
        return years
    quartiles = np.quantile(numbers, _QUANTILES)
    spread = float(quartiles[-1] - quartiles[0])
    if spread <= 0:
        return ()
    step = _round_step(spread / 2)
    rounded = {round(round(float(q) / step) * step, 10) for q in quartiles}
    inside = sorted(edge for edge in rounded if numbers.min() <= edge < numbers.max())
    return tuple(inside) if len(inside) > 1 else ()


def _round_step(size: float) -> float:
    """The largest of 1, 5, 10, 50, ... (or 0.1, 0.5, ...) that is not above a size."""
    power = 10.0 ** np.floor(np.log10(size))
    return float(max(r * power for r in _ROUND if r * power <= size))

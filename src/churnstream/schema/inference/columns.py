"""A column of text, looked at once: its distinct values, and what they are as numbers and dates.

Whatever is asked of a value is asked once for each distinct one, so that a table of many rows costs
little more than one of few.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnstream.schema.dates import Order, date_in
from churnstream.schema.values import MISSING, NO_NUMBER, as_number

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_MOSTLY = 0.95  # of the filled rows: what remains is called broken, not the column
_FRACTION = r"\d\D*[$€£¥₹%]|[$€£¥₹]\D*\d|\d[.,]\d\d\D*$"


@dataclass(frozen=True)
class Column:
    """The values of one column, without blanks around them, and `1.0` as `1`.

    Attributes:
        codes: By row, which of `texts` stands there; -1 where a value is missing.
        texts: Each value once, in the order of their first rows.
        counts: In how many rows each stands.
        has_fractions: Whether the file writes whole numbers as 12.00 or $12: others need not be.
    """

    name: str
    codes: Codes
    texts: tuple[str, ...]
    counts: Codes
    has_fractions: bool = False

    @property
    def rows(self) -> int:
        """All rows, those without a value included."""
        return len(self.codes)

    @cached_property
    def filled(self) -> int:
        """How many rows have a value."""
        return int(self.counts.sum())

    @property
    def distinct(self) -> int:
        """How many values there are."""
        return len(self.texts)

    @property
    def is_unique(self) -> bool:
        """Whether no value stands in two rows."""
        return 0 < self.filled == self.distinct

    @cached_property
    def numbers(self) -> Numbers:
        """By distinct value, the number that it is; NaN if it is none."""
        try:
            found = pc.cast(pa.array(self.texts, pa.string()), pa.float64()).to_numpy()
        except pa.ArrowInvalid:
            found = np.array([np.nan])
        if not np.isfinite(found).all():
            found = np.array([_finite(text) for text in self.texts])
        return np.asarray(found, np.float64)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether the filled rows hold numbers, but for a few broken ones."""
        return self._mostly(np.isfinite(self.numbers))

    @cached_property
    def is_whole(self) -> bool:
        """Whether all numbers are whole, and small enough to be counted with."""
        found = self.numbers[np.isfinite(self.numbers)]
        return self.is_numeric and bool(((found == np.floor(found)) & (abs(found) < 2**53)).all())

    @cached_property
    def has_leading_zeros(self) -> bool:
        """Whether a whole number has a zero before it, as codes have."""
        return any(len(t) > 1 and t[0] == "0" and t.isdecimal() for t in self.texts)

    def days(self, order: Order) -> Numbers:
        """By distinct value, the date that it is, as days; NaN if it is none in this order."""
        found = [date_in(text, order) for text in self.texts]
        return np.array([np.nan if day is None else day.toordinal() for day in found])

    def is_date(self, order: Order) -> bool:
        """Whether the filled rows hold dates in this order, but for a few broken ones."""
        return self._mostly(np.isfinite(self.days(order)))

    @cached_property
    def has_dates(self) -> bool:
        """Whether the filled rows hold dates, whatever comes first in them."""
        orders: tuple[Order, ...] = ("year-first", "day-first", "month-first")
        return any(map(self.is_date, orders))

    def by_row(self, by_value: Numbers) -> Numbers:
        """What is known by distinct value, by row; NaN where the value is missing."""
        return np.append(by_value, np.nan)[self.codes]

    def strangers(self, fits: Flags) -> tuple[int, str]:
        """Of a column whose values fit but for a few: the rows that do not, and a value."""
        return int(self.counts[~fits].sum()), self.texts[int(np.argmin(fits))] if self.texts else ""

    def _mostly(self, fits: Flags) -> bool:
        return self.filled > 0 and int(self.counts[fits].sum()) >= _MOSTLY * self.filled


def column(name: str, values: pa.Array, as_written: pa.Array | None = None) -> Column:
    """Look at a column of texts.

    Args:
        as_written: The same before its numbers were made plain.
    """
    trimmed = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    # As `churnstream.schema.values` reads it.
    whole = pc.replace_substring_regex(trimmed, r"^([+-]?\d+)\.0+$", r"\1")
    encoded = whole.dictionary_encode()
    texts = tuple(encoded.dictionary.to_pylist())
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    found = _without(MISSING, Column(name, codes, texts, counts))
    plainer = _without(NO_NUMBER, found)
    if plainer.distinct < found.distinct and (plainer.is_numeric or plainer.has_dates):
        found = plainer
    written = pc.cast(values if as_written is None else as_written, pa.string())
    fractions = pc.any(pc.match_substring_regex(written, _FRACTION)).as_py()
    return replace(found, has_fractions=bool(fractions))


def _without(missing: Set[str], column: Column) -> Column:
    """The same column, some of its texts being no values."""
    kept = [code for code, text in enumerate(column.texts) if text.lower() not in missing]
    renumbered = np.full(column.distinct + 1, -1, np.int64)
    renumbered[kept] = np.arange(len(kept))
    texts = tuple(column.texts[code] for code in kept)
    return Column(column.name, renumbered[column.codes], texts, column.counts[kept])


def _finite(text: str) -> float:
    number = as_number(text)
    try:
        found = np.nan if number is None else float(number)
    except OverflowError:
        return np.nan
    return found if np.isfinite(found) else np.nan

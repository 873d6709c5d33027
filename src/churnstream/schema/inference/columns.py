"""A column of text, looked at once: its distinct values, and what they are as numbers and dates.

Whatever is asked of a value is asked once for each distinct one, so that a table of many rows costs
little more than one of few.
"""

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnstream.schema.fields import Date
from churnstream.schema.values import MISSING, as_number, read

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

Order = Literal["year-first", "day-first", "month-first"]
"""How a date is written, see `churnstream.schema.fields.Date`."""

_MOSTLY = 0.95  # of the filled rows: what remains is called broken, not the column
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?", re.ASCII)


@dataclass(frozen=True)
class Column:
    """The values of one column, without blanks around them, and `1.0` as `1`.

    Attributes:
        codes: By row, which of `texts` stands there; -1 where a value is missing.
        texts: Each value once, in the order of their first rows.
        counts: In how many rows each stands.
    """

    name: str
    codes: Codes
    texts: tuple[str, ...]
    counts: Codes

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
        field = Date(order=order)
        found = [read(field, text) if _DATE.fullmatch(text) else None for text in self.texts]
        return np.array([d.toordinal() if isinstance(d, date) else np.nan for d in found])

    def is_date(self, order: Order) -> bool:
        """Whether the filled rows hold dates in this order, but for a few broken ones."""
        return self._mostly(np.isfinite(self.days(order)))

    def by_row(self, by_value: Numbers) -> Numbers:
        """What is known by distinct value, by row; NaN where the value is missing."""
        return np.append(by_value, np.nan)[self.codes]

    def strangers(self, fits: Flags) -> tuple[int, str]:
        """Of a column whose values fit but for a few: the rows that do not, and a value."""
        return int(self.counts[~fits].sum()), self.texts[int(np.argmin(fits))] if self.texts else ""

    def _mostly(self, fits: Flags) -> bool:
        return self.filled > 0 and int(self.counts[fits].sum()) >= _MOSTLY * self.filled


def column(name: str, values: pa.Array) -> Column:
    """Look at a column of texts."""
    trimmed = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    # As `churnstream.schema.values` reads it.
    whole = pc.replace_substring_regex(trimmed, r"^([+-]?\d+)\.0+$", r"\1")
    encoded = whole.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    kept = [code for code, text in enumerate(texts) if text.lower() not in MISSING]
    renumbered = np.full(len(texts) + 1, -1, np.int64)
    renumbered[kept] = np.arange(len(kept))
    codes = renumbered[codes]
    counts = np.bincount(codes[codes >= 0], minlength=len(kept))
    return Column(name, codes, tuple(texts[code] for code in kept), counts)


def _finite(text: str) -> float:
    number = as_number(text)
    try:
        found = np.nan if number is None else float(number)
    except OverflowError:
        return np.nan
    return found if np.isfinite(found) else np.nan

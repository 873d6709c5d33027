"""What is known of every customer, in columns: a million of them take some 200 MB."""

from collections import defaultdict
from collections.abc import Sequence
from math import isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnstream.analysis.customer_fields import CustomerFields, Details
from churnstream.analysis.customer_list import ListedCustomers, in_one_cell
from churnstream.dashboard.bounded_texts import BoundedTexts
from churnstream.dashboard.customer_query import Query
from churnstream.dashboard.page_fields import parameter
from churnstream.dashboard.risk_over_time import EVERYBODY, Part
from churnstream.dashboard.shown_customers import CustomerGroup, CustomerShown
from churnstream.schema.schema import Segment
from churnstream.schema.segments import OTHER, in_order

MAX_CUSTOMERS = 2_000_000
PAGE = 25
_FIRST = 4096
_REASONS = 3
_MAX_TEXTS = 100_000
_MAX_VALUES = 20  # of a segment; the rest are one
_MAX_VERSIONS = 1000

_COLUMNS: dict[str, tuple[type, int]] = {
    "risk": (np.float64, 1),  # -1: not scored yet
    "leaving": (np.bool_, 1),
    "scored_at": (np.float64, 1),
    "event_at": (np.float64, 1),
    "version": (np.int32, 1),
    "reasons": (np.int32, _REASONS),
}


class CustomerTable:
    """Columns that grow by doubling; rows are never removed.

    Attributes:
        left_out: Customers beyond `MAX_CUSTOMERS`, who are counted nowhere else.
        levels: What is at risk now, of everybody and of those of the same segment.
    """

    def __init__(self, fields: CustomerFields) -> None:
        self.names: list[str] = []
        self.left_out = 0
        self.levels: defaultdict[Part, float] = defaultdict(float)
        self._fields = fields
        self._reasons = BoundedTexts(_MAX_TEXTS)
        self._versions = BoundedTexts(_MAX_VERSIONS, OTHER)
        self._texts = {one.field: BoundedTexts(_MAX_VALUES, OTHER) for one in fields.segments}
        self._rows: dict[str, int] = {}
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros((_FIRST, width) if width > 1 else _FIRST, dtype)
            for name, (dtype, width) in _COLUMNS.items()
        }
        self._codes = {field: np.zeros(_FIRST, np.int8) for field in self._texts}
        self._numbers = {one.field: np.zeros(_FIRST) for one in fields.numbers}

    def __len__(self) -> int:
        return len(self.names)

    def _column(self, name: str) -> NDArray[Any]:
        return self._columns[name][: len(self.names)]

    def row(self, name: str) -> int:
        """The customer's row, -1 for one nobody heard of."""
        return self._rows.get(name, -1)

    def score(
        self,
        name: str,
        risk: float,
        leaving: bool,
        scored_at: float,
        reasons: Sequence[str],
        said: Details | None = None,
        *,
        event_at: float = nan,
        version: str = "",
    ) -> tuple[int, list[Part]]:
        """Take note of a prediction; the last one counts.

        Args:
            scored_at: Seconds since 1970, as `event_at`, the event's own time.
            said: What its event says of the customer; None if that is not known.
            version: Of the model.

        Returns:
            The customer's row, -1 if there is none left, and the parts that one belongs to.
        """
        row = self._add(name)
        if row < 0:
            return row, [EVERYBODY]
        columns = self._columns
        before = float(columns["risk"][row])
        if before > 0:
            self._count(self._parts(row), -before * self._worth(row))
        if said:
            self._note(row, said)
        parts = self._parts(row)
        self._count(parts, risk * self._worth(row))
        columns["risk"][row] = risk
        columns["leaving"][row] = leaving
        columns["scored_at"][row] = scored_at
        columns["event_at"][row] = event_at
        columns["version"][row] = self._versions.number(version)
        numbers = [self._reasons.number(text) for text in reasons[:_REASONS]]
        columns["reasons"][row] = numbers + [0] * (_REASONS - len(numbers))
        return row, parts

    def _note(self, row: int, said: Details) -> None:
        for (field, codes), name in zip(self._codes.items(), said.segments, strict=True):
            codes[row] = self._texts[field].number(name)
        for column, number in zip(self._numbers.values(), said.numbers, strict=True):
            column[row] = number

    def _count(self, parts: list[Part], at_risk: float) -> None:
        for part in parts:
            self.levels[part] += at_risk

    def _parts(self, row: int) -> list[Part]:
        """Which parts of the customers one belongs to."""
        parts = [EVERYBODY]
        for field, codes in self._codes.items():
            if code := int(codes[row]):
                parts.append((field, self._texts[field].all[code]))
        return parts

    def _worth(self, row: int) -> float:
        return self._fields.worth(self._first_number(row))

    def _first_number(self, row: int) -> float:
        return next((float(column[row]) for column in self._numbers.values()), 0.0)

    def _add(self, name: str) -> int:
        row = self._rows.get(name)
        if row is not None:
            return row
        if len(self.names) >= MAX_CUSTOMERS:
            self.left_out += 1
            return -1
        row = self._rows[name] = len(self.names)
        self.names.append(name)
        if row == len(self._columns["risk"]):
            self._grow()
        self._columns["risk"][row] = -1
        for column in self._numbers.values():
            column[row] = np.nan
        return row

    def _grow(self) -> None:
        for columns in (self._columns, self._codes, self._numbers):
            for name, values in columns.items():
                columns[name] = np.concatenate([values, np.zeros_like(values)])

    def whole(self) -> tuple[CustomerGroup, int, float | None]:
        """All scored customers as one group, how many leave, and the average risk."""
        scored = self._column("risk") >= 0
        count = int(scored.sum())
        leaving = int(self._column("leaving").sum())
        average = float(self._column("risk")[scored].mean()) if count else None
        at_risk = float(self._at_risk().sum())
        return CustomerGroup(count, leaving / count if count else None, at_risk), leaving, average

    def groups(self) -> dict[str, list[tuple[str, CustomerGroup]]]:
        """By field, those of each segment that occurs, in the order that people look for."""
        is_scored, at_risk = self._column("risk") >= 0, self._at_risk()
        return {
            segment.field: self._groups(segment, is_scored, at_risk)
            for segment in self._fields.segments
        }

    def _groups(
        self, segment: Segment, is_scored: NDArray[np.bool_], at_risk: NDArray[np.float64]
    ) -> list[tuple[str, CustomerGroup]]:
        codes = np.where(is_scored, self._codes[segment.field][: len(is_scored)], 0).astype(np.intp)
        size, texts = _MAX_VALUES + 2, self._texts[segment.field].all
        counts = np.bincount(codes, minlength=size)
        leaving = np.bincount(codes, self._column("leaving"), size)
        sums = np.bincount(codes, at_risk, size)
        found = {
            texts[code]: CustomerGroup(
                int(counts[code]), float(leaving[code] / counts[code]), float(sums[code])
            )
            for code in np.flatnonzero(counts).tolist()
            if code
        }
        return [(name, found[name]) for name in in_order(self._fields.schema, segment, found)]

    def values(self, segment: Segment) -> list[str]:
        """What occurs of a segment, for a filter."""
        texts = self._texts[segment.field].all
        codes = np.flatnonzero(np.bincount(self._codes[segment.field][: len(self.names)])).tolist()
        return in_order(self._fields.schema, segment, (texts[code] for code in codes if code))

    def _at_risk(self) -> NDArray[np.float64]:
        risk = np.maximum(self._column("risk"), 0).astype(np.float64)
        first = next(iter(self._numbers.values()), np.zeros(0))[: len(self.names)]
        at_risk: NDArray[np.float64] = risk * self._fields.worths(first)
        return at_risk

    def find(self, query: Query) -> tuple[list[CustomerShown], int]:
        """One page of the customers that match, largest first, and how many match in all."""
        rows, matching = self._first(query, (query.page + 1) * PAGE)
        shown = rows[query.page * PAGE :].tolist()
        return [self.get(row) for row in shown], matching

    def _first(self, query: Query, count: int) -> tuple[NDArray[np.intp], int]:
        """The rows of the customers that match, largest first, and how many match in all."""
        rows = np.flatnonzero(self._matching(query))
        keys = -self._keys(query.sort)[rows].astype(np.float64)  # what is missing comes last
        matching = len(rows)
        if count < matching:
            top = np.argpartition(keys, count)[:count]
            rows, keys = rows[top], keys[top]
        return rows[np.argsort(keys, kind="stable")], matching

    def listed(self, query: Query, count: int) -> ListedCustomers:
        """The first so many of the customers that match, whatever page is asked for."""
        rows, _ = self._first(query, count)
        own = {name: column[rows] for name, column in self._columns.items()}
        numbers = [column[rows] for column in self._numbers.values()]
        at_risk = self._at_risk()[rows]
        if isinstance(self._fields.schema.value, str):
            at_risk[np.isnan(numbers[0])] = np.nan
        reasons, versions = self._reasons.all, self._versions.all
        return ListedCustomers(
            names=[self.names[row] for row in rows.tolist()],
            risks=own["risk"],
            leaving=own["leaving"],
            at_risk=at_risk,
            numbers=numbers,
            texts=[self._texts_of(column.field, rows) for column in self._fields.texts],
            reasons=[
                in_one_cell(reasons[code] for code in codes if code)
                for codes in own["reasons"].tolist()
            ],
            event_at=own["event_at"],
            versions=[versions[code] for code in own["version"].tolist()],
        )

    def _texts_of(self, field: str, rows: NDArray[np.intp]) -> list[str]:
        texts = self._texts[field].all
        return [texts[code] for code in self._codes[field][rows].tolist()]

    def _keys(self, sort: str) -> NDArray[Any]:
        numbers = {parameter(field): column for field, column in self._numbers.items()}
        if sort in numbers:
            return numbers[sort][: len(self.names)]
        return self._at_risk() if sort == "at_risk" else self._column(sort)

    def _matching(self, query: Query) -> NDArray[np.bool_]:
        mask = self._column("risk") >= 0
        if query.leaving:
            mask = mask & self._column("leaving")
        for field, wanted in query.segments:
            codes = self._codes[field][: len(self.names)]
            mask = mask & (codes == self._texts[field].find(wanted))
        if query.text:
            text = query.text.casefold()
            named = (text in name.casefold() for name in self.names)
            mask = mask & np.fromiter(named, np.bool_, len(self.names))
        return mask

    def get(self, row: int) -> CustomerShown:
        """One customer."""
        own = {name: column[row] for name, column in self._columns.items()}
        risk = max(0.0, float(own["risk"]))
        first = self._first_number(row)
        unknown = isinstance(self._fields.schema.value, str) and isnan(first)
        numbers = {field: float(column[row]) for field, column in self._numbers.items()}
        texts = {field: self._texts[field].all[codes[row]] for field, codes in self._codes.items()}
        return CustomerShown(
            self.names[row],
            risk,
            None if unknown else risk * self._worth(row),
            {field: None if isnan(number) else number for field, number in numbers.items()},
            texts,
            bool(own["leaving"]),
            float(own["scored_at"]),
            [self._reasons.all[code] for code in own["reasons"].tolist() if code],
        )

"""What is known of every customer, in columns: a million of them take some 200 MB."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churnstream.dashboard.pending import Details
from churnstream.dashboard.series import EVERYBODY, Part
from churnstream.dashboard.texts import OTHER, Texts

MOST = 2_000_000
_FIRST = 4096
_REASONS = 3
_MOST_TEXTS = 100_000
_MOST_VALUES = 20  # of a column that customers are told apart by; the rest are one

_COLUMNS: dict[str, tuple[type, int]] = {
    "risk": (np.float32, 1),  # -1: not scored yet
    "charges": (np.float32, 1),
    "tenure": (np.int32, 1),
    "contract": (np.int32, 1),
    "internet": (np.int32, 1),
    "leaving": (np.bool_, 1),
    "scored_at": (np.float64, 1),
    "reasons": (np.int32, _REASONS),
}


class Row(NamedTuple):
    """One customer as the table shows it.

    Attributes:
        risk: Probability of churn.
        at_risk: Probability times monthly charges; None while the charges are unknown.
        scored_at: Seconds since 1970.
    """

    name: str
    risk: float
    at_risk: float | None
    charges: float | None
    tenure: int | None
    contract: str
    internet: str
    leaving: bool
    scored_at: float
    reasons: list[str]


class Segment(NamedTuple):
    """Customers with something in common; the fields are those of a summary's figures."""

    scored: int
    churn_rate: float | None
    monthly_revenue_at_risk: float


class Query(NamedTuple):
    """Which customers to list.

    Attributes:
        text: Part of the customer's name.
        sort: A column of `SORTS`.
        page: From 0.
    """

    text: str = ""
    contract: str = ""
    internet: str = ""
    leaving: bool = False
    sort: str = "risk"
    page: int = 0


SORTS = ("risk", "at_risk", "charges", "tenure", "scored_at")
PAGE = 25


class Customers:
    """Columns that grow by doubling; rows are never removed.

    Attributes:
        left_out: Customers beyond `MOST`, who are counted nowhere else.
        levels: Monthly revenue at risk now, of everybody and of those with the same contract or
            internet service.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._reasons = Texts(_MOST_TEXTS)
        self._values = {name: Texts(_MOST_VALUES, OTHER) for name in ("contract", "internet")}
        self.left_out = 0
        self.levels: defaultdict[Part, float] = defaultdict(float)
        self._rows: dict[str, int] = {}
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros((_FIRST, width) if width > 1 else _FIRST, dtype)
            for name, (dtype, width) in _COLUMNS.items()
        }

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
    ) -> int:
        """Take note of a prediction; the last one counts.

        Args:
            said: What its event says of the customer; None if that is not known.

        Returns:
            The customer's row, -1 if there is none left.
        """
        row = self._add(name)
        if row < 0:
            return row
        columns = self._columns
        self._count(row, -1)
        columns["risk"][row] = risk
        if said:
            columns["contract"][row] = self._values["contract"].number(said.contract)
            columns["internet"][row] = self._values["internet"].number(said.internet)
            columns["charges"][row] = said.charges
            columns["tenure"][row] = said.tenure
        self._count(row, 1)
        columns["leaving"][row] = leaving
        columns["scored_at"][row] = scored_at
        numbers = [self._reasons.number(text) for text in reasons[:_REASONS]]
        columns["reasons"][row] = numbers + [0] * (_REASONS - len(numbers))
        return row

    def _count(self, row: int, sign: int) -> None:
        """Take a customer into the levels, or out of them before something changes."""
        risk = float(self._columns["risk"][row])
        if risk > 0:
            for part in self.parts(row):
                self.levels[part] += sign * risk * float(self._columns["charges"][row])

    def parts(self, row: int) -> list[Part]:
        """Which parts of the customers one belongs to."""
        codes = ((name, texts, self._columns[name][row]) for name, texts in self._values.items())
        return [EVERYBODY, *((name, texts.all[code]) for name, texts, code in codes if code)]

    def _add(self, name: str) -> int:
        row = self._rows.get(name)
        if row is not None:
            return row
        if len(self.names) >= MOST:
            self.left_out += 1
            return -1
        row = self._rows[name] = len(self.names)
        self.names.append(name)
        if row == len(self._columns["risk"]):
            for column, values in self._columns.items():
                self._columns[column] = np.concatenate([values, np.zeros_like(values)])
        self._columns["risk"][row] = -1
        return row

    def whole(self) -> tuple[Segment, int, float | None]:
        """All scored customers as one segment, how many leave, and the average risk."""
        scored = self._column("risk") >= 0
        count = int(scored.sum())
        leaving = int(self._column("leaving").sum())
        average = float(self._column("risk")[scored].mean()) if count else None
        at_risk = float(self._at_risk().sum())
        return Segment(count, leaving / count if count else None, at_risk), leaving, average

    def segments(self, column: str) -> list[tuple[str, Segment]]:
        """Figures by the values of a column, in alphabetical order."""
        risk = self._column("risk")
        scored = risk >= 0
        codes = np.where(scored, self._column(column), 0)
        size = int(codes.max()) + 1 if len(codes) else 1
        counts = np.bincount(codes, scored, size)
        leaving = np.bincount(codes, self._column("leaving"), size)
        at_risk = np.bincount(codes, self._at_risk(), size)
        return sorted(
            (
                self._values[column].all[code],
                Segment(int(counts[code]), float(leaving[code] / counts[code]), at_risk[code]),
            )
            for code in np.flatnonzero(counts).tolist()
            if code
        )

    def values(self, column: str) -> list[str]:
        """What occurs in a column of texts, for a filter."""
        codes = np.unique(self._column(column)).tolist()
        return sorted(self._values[column].all[code] for code in codes if code)

    def _at_risk(self) -> NDArray[np.float64]:
        risk = np.maximum(self._column("risk"), 0).astype(np.float64)
        at_risk: NDArray[np.float64] = risk * self._column("charges")
        return at_risk

    def find(self, query: Query) -> tuple[list[Row], int]:
        """One page of the customers that match, largest first, and how many match in all."""
        rows = np.flatnonzero(self._matching(query))
        keys = self._at_risk() if query.sort == "at_risk" else self._column(query.sort)
        last = min(len(rows), (query.page + 1) * PAGE)
        if last < len(rows):
            top = np.argpartition(-keys[rows].astype(np.float64), last)[:last]
            found = rows[top]
        else:
            found = rows
        order = np.argsort(-keys[found].astype(np.float64), kind="stable")
        shown = found[order][query.page * PAGE : last].tolist()
        return [self.get(row) for row in shown], len(rows)

    def _matching(self, query: Query) -> NDArray[np.bool_]:
        mask = self._column("risk") >= 0
        if query.leaving:
            mask = mask & self._column("leaving")
        for column in ("contract", "internet"):
            if wanted := getattr(query, column):
                mask = mask & (self._column(column) == self._values[column].find(wanted))
        if query.text:
            text = query.text.casefold()
            named = (text in name.casefold() for name in self.names)
            mask = mask & np.fromiter(named, np.bool_, len(self.names))
        return mask

    def get(self, row: int) -> Row:
        """One customer."""
        value = {name: column[row] for name, column in self._columns.items()}
        known = bool(value["contract"])
        charges = float(value["charges"]) if known else None
        risk = max(0.0, float(value["risk"]))
        return Row(
            self.names[row],
            risk,
            None if charges is None else risk * charges,
            charges,
            int(value["tenure"]) if known else None,
            self._values["contract"].all[int(value["contract"])],
            self._values["internet"].all[int(value["internet"])],
            bool(value["leaving"]),
            float(value["scored_at"]),
            [self._reasons.all[code] for code in value["reasons"].tolist() if code],
        )

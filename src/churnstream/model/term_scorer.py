"""Adding up the terms of a model: log-odds of customers, and what each field adds to them.

A value is looked up once: which cell of its field it lies in. Everything else is arithmetic of
whole columns. Needs numpy alone; the import of scikit-learn takes seconds.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from churnstream.model.feature_table import Array, Column
from churnstream.model.terms import Curve, Steps, Table, Terms

Cells = NDArray[np.intp]
_PARTS = 10.0**12
NamedGrid = tuple[str, str, Array]


class TermScorer:
    """Log-odds of churn as a base plus terms.

    Args:
        terms: Sound ones.

    Attributes:
        pairs: Of each the two fields, and its grid by the cells of both.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._curves = _Curves({n: f for n, f in terms.fields.items() if isinstance(f, Curve)})
        self._stepped = {n: _Cells(f) for n, f in terms.fields.items() if not isinstance(f, Curve)}
        self.pairs: list[NamedGrid] = [
            (*pair.fields, np.array(pair.terms)[np.ix_(pair.rows, pair.columns)])
            for pair in terms.pairs
        ]

    def score(self, columns: Mapping[str, Column]) -> Array:
        """Log-odds, (n,), of n customers.

        Args:
            columns: By field of the terms, (n,): float with NaN, or str with None, for missing.
        """
        return self.score_cells(self.cells(columns)) + self.curved(columns)

    def cells(self, columns: Mapping[str, Column]) -> dict[str, Cells]:
        """The cell of each value, (n,), of each field with a table or steps."""
        return {name: of(columns[name]) for name, of in self._stepped.items()}

    def stepped(self, names: Iterable[str]) -> list[str]:
        """Those of some fields that have cells."""
        return [name for name in names if name in self._stepped]

    def cell(self, name: str, column: Column) -> Cells:
        """The cell of each value of a field that has some, (n,)."""
        return self._stepped[name](column)

    def curved(self, columns: Mapping[str, Column]) -> Array:
        """What the fields with a curve add, (n,); of no such field (), which is 0."""
        found: Array = self._curves(columns).sum(axis=0)
        return found

    def step(self, name: str, cells: Mapping[str, Cells]) -> Array:
        """What a field with cells adds by itself, (n,)."""
        found: Array = self._stepped[name].terms.take(cells[name])
        return found

    def pair(self, pair: NamedGrid, cells: Mapping[str, Cells]) -> Array:
        """What two fields add together, (n,)."""
        first, second, grid = pair
        found: Array = grid.take(cells[first] * grid.shape[1] + cells[second])
        return found

    def score_cells(self, cells: Mapping[str, Cells]) -> Array:
        """The log-odds without the curves, (n,), or () if all is curves."""
        log_odds = np.asarray(self.terms.base)
        for name, of in self._stepped.items():
            log_odds = log_odds + of.terms.take(cells[name])
        for pair in self.pairs:
            log_odds = log_odds + self.pair(pair, cells)
        return log_odds

    def contributions(self, columns: Mapping[str, Column]) -> dict[str, Array]:
        """What each field adds to the log-odds, (n,) each; with the base they are the sum.

        The term of a pair is shared half and half, see `churnstream.model.centring`.
        """
        return self.shares(self.cells(columns), columns)

    def shares(self, cells: Mapping[str, Cells], columns: Mapping[str, Column]) -> dict[str, Array]:
        """The same, where the cells are known; only fields with a curve need their column."""
        shares = {name: self.step(name, cells) for name in self._stepped}
        shares |= zip(self._curves.names, self._curves(columns), strict=True)
        for pair in self.pairs:
            half = self.pair(pair, cells) / 2
            shares[pair[0]] += half
            shares[pair[1]] += half
        return {name: shares[name] for name in self.terms.fields}


def probabilities(log_odds: Array) -> Array:
    """The probabilities, 0 to 1, of log-odds of the same shape, with 12 digits behind the point.

    More digits say nothing of a customer, and these are read and written quickly.
    """
    with np.errstate(over="ignore"):  # an odd beyond all numbers is a probability of 0
        found: Array = 1 / (1 + np.exp(-log_odds))
    return np.rint(found * _PARTS) / _PARTS


def signed_log(values: Array) -> Array:
    """sign(x) log(1 + |x|): a month or a dollar means more where there are few."""
    logs: Array = np.log1p(np.abs(values))
    return np.copysign(logs, values) if np.any(values < 0) else logs


class _Cells:
    """The cell of a value, and the term of a cell."""

    def __init__(self, field: Table | Steps) -> None:
        self._missing = field.cells - 1
        if isinstance(field, Table):
            known: dict[str | None, int] = {text: n for n, text in enumerate(field.terms)}
            self._known, self._cuts = {**known, None: self._missing}, None
            own = (*field.terms.values(), field.other)
        else:
            self._known, self._cuts = {}, np.array(field.cuts, dtype=np.float64)
            own = field.terms
        self.terms = np.array([*own, field.missing], dtype=np.float64)

    def __call__(self, column: Column) -> Cells:
        if self._cuts is None:
            get, other = self._known.get, self._missing - 1
            return np.array([get(text, other) for text in column.tolist()], dtype=np.intp)
        numbers = np.asarray(column, dtype=np.float64)
        found = np.searchsorted(self._cuts, numbers, side="right")
        found[np.isnan(numbers)] = self._missing
        return found


class _Curves:
    """The terms of numbers: polynomials by pieces of their logarithms, constant outside.

    All fields at once, since that takes a fraction of the time. Where a field has fewer pieces or
    powers than others, pieces that nothing lies in and powers with 0 before them make up for it.

    Attributes:
        names: The fields, in the order of the answer.
    """

    def __init__(self, fields: Mapping[str, Curve]) -> None:
        self.names = list(fields)
        curves = list(fields.values())
        self._pieces = max((len(curve.coefficients) for curve in curves), default=0)
        degrees = max((len(curve.coefficients[0]) for curve in curves), default=1)
        self._knots = np.full((len(curves), self._pieces), np.inf)
        self._last = np.array([[curve.knots[-1]] for curve in curves]).reshape(-1, 1)
        self._missing = np.array([[curve.missing] for curve in curves]).reshape(-1, 1)
        powers = np.zeros((degrees, len(curves), self._pieces))
        for row, curve in enumerate(curves):
            own = np.array(curve.coefficients).T
            self._knots[row, : own.shape[1]] = curve.knots[:-1]
            powers[degrees - len(own) :, row, : own.shape[1]] = own
        self._powers = powers.reshape(degrees, len(curves) * self._pieces)

    def __call__(self, columns: Mapping[str, Column]) -> Array:
        """The term of each field and value, (fields, n)."""
        if not self.names:
            return np.zeros(0)
        logs = signed_log(np.array([columns[name] for name in self.names], dtype=np.float64))
        missing = np.isnan(logs)
        inside = np.clip(logs, self._knots[:, :1], self._last)
        inside[missing] = np.broadcast_to(self._last, inside.shape)[missing]
        piece = np.arange(len(self.names))[:, None] * self._pieces + self._piece(inside)
        distance = inside - self._knots.take(piece)
        first, *rest = self._powers
        terms: Array = first.take(piece)
        for power in rest:
            terms *= distance
            terms += power.take(piece)
        return np.where(missing, self._missing, terms)

    def _piece(self, inside: Array) -> Cells:
        """Which of its field's pieces each value lies in."""
        piece = np.zeros(inside.shape, dtype=np.intp)
        for knot in range(1, self._pieces):
            piece += inside >= self._knots[:, knot : knot + 1]
        return piece

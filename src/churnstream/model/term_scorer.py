"""Adding up the terms of a model: log-odds of customers, and what each field adds to them.

A value is looked up once: which cell of its field it lies in. Everything else is arithmetic of
whole columns. Needs numpy alone; the import of scikit-learn takes seconds.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from churnstream.model.feature_table import Array, Column
from churnstream.model.terms import Curve, Steps, Table, Terms

Cells = NDArray[np.intp]


class TermScorer:
    """Log-odds of churn as a base plus terms.

    Args:
        terms: Sound ones.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._curves = {n: _Curve(f) for n, f in terms.fields.items() if isinstance(f, Curve)}
        self._stepped = {n: _Cells(f) for n, f in terms.fields.items() if not isinstance(f, Curve)}
        self._pairs = [
            (*pair.fields, np.array(pair.terms)[np.ix_(pair.rows, pair.columns)])
            for pair in terms.pairs
        ]

    def score(self, columns: Mapping[str, Column]) -> Array:
        """Log-odds, (n,), of n customers.

        Args:
            columns: By field of the terms, (n,): float with NaN, or str with None, for missing.
        """
        cells = self.cells(columns)
        log_odds = self.score_cells(cells)
        for name, curve in self._curves.items():
            log_odds = log_odds + curve(columns[name])
        return log_odds

    def cells(self, columns: Mapping[str, Column]) -> dict[str, Cells]:
        """The cell of each value, (n,), of each field with a table or steps."""
        return {name: of(columns[name]) for name, of in self._stepped.items()}

    def score_cells(self, cells: Mapping[str, Cells]) -> Array:
        """The log-odds without the curves, (n,), or () if all is curves."""
        log_odds = np.asarray(self.terms.base)
        for name, of in self._stepped.items():
            log_odds = log_odds + of.terms.take(cells[name])
        for first, second, grid in self._pairs:
            log_odds += grid.take(cells[first] * grid.shape[1] + cells[second])
        return log_odds

    def contributions(self, columns: Mapping[str, Column]) -> dict[str, Array]:
        """What each field adds to the log-odds, (n,) each; with the base they are the sum.

        The term of a pair is shared half and half, see `churnstream.model.centring`.
        """
        cells = self.cells(columns)
        shares = {name: of.terms.take(cells[name]) for name, of in self._stepped.items()}
        shares |= {name: curve(columns[name]) for name, curve in self._curves.items()}
        for first, second, grid in self._pairs:
            half = grid.take(cells[first] * grid.shape[1] + cells[second]) / 2
            shares[first] += half
            shares[second] += half
        return {name: shares[name] for name in self.terms.fields}


def probabilities(log_odds: Array) -> Array:
    """The probabilities, 0 to 1, of log-odds of the same shape."""
    with np.errstate(over="ignore"):  # an odd beyond all numbers is a probability of 0
        found: Array = 1 / (1 + np.exp(-log_odds))
    return found


def signed_log(values: Array) -> Array:
    """sign(x) log(1 + |x|): a month or a dollar means more where there are few."""
    logs: Array = np.copysign(np.log1p(np.abs(values)), values)
    return logs


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


class _Curve:
    """The term of a number: a polynomial by pieces of its logarithm, constant outside."""

    def __init__(self, field: Curve) -> None:
        self._knots = np.array(field.knots)
        self._coefficients = np.array(field.coefficients).T
        self._missing = field.missing

    def __call__(self, column: Column) -> Array:
        logs = signed_log(np.asarray(column, dtype=np.float64))
        missing = np.isnan(logs)
        inside = np.clip(np.where(missing, 0, logs), self._knots[0], self._knots[-1])
        piece = np.searchsorted(self._knots[1:-1], inside, side="right")
        distance = inside - self._knots[piece]
        first, *rest = self._coefficients
        terms: Array = first[piece]
        for coefficients in rest:
            terms = terms * distance + coefficients[piece]
        terms[missing] = self._missing
        return terms

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
        self._curves = {n: _Curve(f) for n, f in terms.fields.items() if isinstance(f, Curve)}
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
        log_odds = self.score_cells(self.cells(columns))
        for name, curve in self._curves.items():
            log_odds = log_odds + curve(columns[name])
        return log_odds

    def cells(self, columns: Mapping[str, Column]) -> dict[str, Cells]:
        """The cell of each value, (n,), of each field with a table or steps."""
        return {name: of(columns[name]) for name, of in self._stepped.items()}

    def stepped(self, names: Iterable[str]) -> list[str]:
        """Those of some fields that have cells."""
        return [name for name in names if name in self._stepped]

    def cell(self, name: str, column: Column) -> Cells:
        """The cell of each value of a field that has some, (n,)."""
        return self._stepped[name](column)

    def term(self, name: str, column: Column, cells: Mapping[str, Cells]) -> Array:
        """What a field adds by itself, (n,)."""
        curve = self._curves.get(name)
        if curve is not None:
            return curve(column)
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
        shares = {name: of.terms.take(cells[name]) for name, of in self._stepped.items()}
        shares |= {name: curve(columns[name]) for name, curve in self._curves.items()}
        for pair in self.pairs:
            half = self.pair(pair, cells) / 2
            shares[pair[0]] += half
            shares[pair[1]] += half
        return {name: shares[name] for name in self.terms.fields}


def probabilities(log_odds: Array) -> Array:
    """The probabilities, 0 to 1, of log-odds of the same shape."""
    with np.errstate(over="ignore"):  # an odd beyond all numbers is a probability of 0
        found: Array = 1 / (1 + np.exp(-log_odds))
    return found


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


class _Curve:
    """The term of a number: a polynomial by pieces of its logarithm, constant outside."""

    def __init__(self, field: Curve) -> None:
        self._knots = np.array(field.knots)
        self._coefficients = np.array(field.coefficients).T
        self._missing = field.missing

    def __call__(self, column: Column) -> Array:
        logs = signed_log(np.asarray(column, dtype=np.float64))
        missing = np.isnan(logs)
        if any_missing := bool(missing.any()):
            logs[missing] = 0
        inside = np.clip(logs, self._knots[0], self._knots[-1])
        piece = np.searchsorted(self._knots[1:-1], inside, side="right")
        distance = inside - self._knots[piece]
        first, *rest = self._coefficients
        terms: Array = first[piece]
        for coefficients in rest:
            terms = terms * distance + coefficients[piece]
        if any_missing:
            terms[missing] = self._missing
        return terms

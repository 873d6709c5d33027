"""Reading the terms of a sum with pairs out of any function that is one.

With F the function and r any reference cells, one of each field,

    term of a cell a of i          = F(a, else r) - F(r)
    term of cells a of i and b of j = F(a, b, else r) - F(a, else r) - F(b, else r) + F(r)

add up to F wherever F is a sum of functions of one field and of two [the anchored decomposition,
Kuo et al. 2010]. So the function is asked, and nobody needs to know how it is made. Then each pair
is made pure (`churnstream.model.centring`), and rows and columns that are the same are joined.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from churnstream.model.centring import pure
from churnstream.model.feature_table import Array, FeatureTable
from churnstream.model.term_scorer import TermScorer
from churnstream.model.terms import Field, Pair, Steps, Table, Terms

Ask = Callable[[NDArray[np.intp]], Array]
"""Log-odds (n,) of rows of cells (n, fields)."""

_SAME = 1e-12  # of log-odds; hundreds of pairs stay below 1e-9 together
_ROWS_A_QUESTION = 50_000


def read_pairs(
    ask: Ask,
    fields: Mapping[str, Steps | Table],
    pairs: Sequence[tuple[str, str]],
    table: FeatureTable,
) -> Terms:
    """The terms of a function of cells, pure with regard to these customers.

    Args:
        ask: Takes columns in the order of `fields`.
        fields: Their cells; their terms are not looked at.
        pairs: All that the function may hold.
    """
    names = list(fields)
    shares = _shares(fields, table)
    asked = _Anchored(ask, [field.cells for field in fields.values()])
    base, own = asked.base, {name: asked.alone(n) for n, name in enumerate(names)}
    found = []
    for first, second in pairs:
        i, j = names.index(first), names.index(second)
        grid, rows, columns, constant = pure(asked.together(i, j), shares[first], shares[second])
        own[first] = own[first] + rows
        own[second] = own[second] + columns
        base += constant
        if np.abs(grid).max() > _SAME:
            found.append(_joined((first, second), grid))
    filled: dict[str, Field] = {
        name: _filled(field, own[name].tolist()) for name, field in fields.items()
    }
    return Terms(base, filled, tuple(found))


class _Anchored:
    """What a function of cells says of one cell and of two, all else at its first one."""

    def __init__(self, ask: Ask, cells: Sequence[int]) -> None:
        self._ask, self._cells = ask, cells
        self.base = float(ask(np.zeros((1, len(cells)), dtype=np.intp))[0])
        self._alone = [self._asked({n: np.arange(m)}) for n, m in enumerate(cells)]

    def alone(self, field: int) -> Array:
        """The term of each cell, (cells,)."""
        return self._alone[field] - self.base

    def together(self, first: int, second: int) -> Array:
        """The grid of a pair, (cells of the first, cells of the second)."""
        shape = self._cells[first], self._cells[second]
        rows, columns = np.indices(shape).reshape(2, -1)
        both = self._asked({first: rows, second: columns}).reshape(shape)
        grid: Array = both - self._alone[first][:, None] - self._alone[second][None, :] + self.base
        return grid

    def _asked(self, chosen: Mapping[int, NDArray[np.intp]]) -> Array:
        rows = np.zeros((len(next(iter(chosen.values()))), len(self._cells)), dtype=np.intp)
        for field, cells in chosen.items():
            rows[:, field] = cells
        starts = range(0, len(rows), _ROWS_A_QUESTION)
        return np.concatenate([self._ask(rows[s : s + _ROWS_A_QUESTION]) for s in starts])


def _shares(fields: Mapping[str, Steps | Table], table: FeatureTable) -> dict[str, Array]:
    """The share of the customers in each cell of each field, (cells,)."""
    cells = TermScorer(Terms(0.0, dict(fields))).cells(table.columns)
    return {
        name: np.bincount(cells[name], minlength=field.cells) / len(table)
        for name, field in fields.items()
    }


def _joined(names: tuple[str, str], grid: Array) -> Pair:
    rows, kept = _same(grid)
    columns, kept_columns = _same(grid.T)
    terms = grid[np.ix_(kept, kept_columns)]
    return Pair(names, tuple(rows), tuple(columns), tuple(map(tuple, terms.tolist())))


def _same(rows: Array) -> tuple[list[int], list[int]]:
    """For each row the number of the first that is the same, and which rows are those."""
    kept: list[int] = []
    numbers: list[int] = []
    for n, row in enumerate(rows):
        gaps = np.abs(rows[kept] - row).max(axis=1)
        close = np.flatnonzero(gaps <= _SAME)
        if not len(close):
            kept.append(n)
        numbers.append(int(close[0]) if len(close) else len(kept) - 1)
    return numbers, kept


def _filled(field: Steps | Table, own: list[float]) -> Steps | Table:
    if isinstance(field, Steps):
        return Steps(field.cuts, tuple(own[:-1]), own[-1])
    return Table(dict(zip(field.terms, own, strict=False)), own[-2], own[-1])

"""The share of each field in what boosted trees say: exact Shapley values, by look-up.

The game [Lundberg et al. 2020, "tree_path_dependent"]: of a set S of fields the customer's values
are known; at a split by another field it goes down both branches, in the proportion in which the
training customers went there. A tree is a sum over its leaves, and so is its game. With the fields
F on the path to a leaf of value v,

    v(S) = v * product over j in S of o_j * product over j in F but not in S of z_j

where o_j is 1 if the customer's value passes all splits by j on that path, else 0, and z_j is the
product of the shares of the training customers who took the path at these splits. A field's Shapley
value in it is

    (o_i - z_i) * v * sum over S in F without i of w(|S|) * product over S of o_j * product over
    the others but i of z_j,       w(s) = s! (|F| - s - 1)! / |F|!

which depends on the customer by the pattern of the o_j alone: with four fields on a path there are
16, and all are worked out beforehand. A field that is on no path of a leaf has no share in it, and
a position on a path that is left empty (o = z = 1) changes no share of the others.

With nothing known the sum is the mean log-odds of the training customers: the base. Effects and
base add up to the log-odds.
"""

from collections.abc import Mapping
from functools import reduce
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from churnstream.model.feature_table import Array, Column
from churnstream.model.term_scorer import Cells
from churnstream.model.tree_scorer import TreeScorer
from churnstream.model.trees import DEPTH, LEAVES, Leaf, Tree

_ROWS = 64  # explained at once
_PATTERNS = 2**DEPTH

_Path = dict[str, float]
"""By field on the way to a leaf, the share z of the training customers who passed its splits."""


class TreeEffects:
    """Effects of fields in log-odds.

    Attributes:
        base: The mean log-odds of the training customers.
    """

    def __init__(self, scorer: TreeScorer) -> None:
        self._scorer, trees = scorer, scorer.trees
        paths = [path for tree in trees.trees for path in _paths(tree)]
        passed = np.array([[*p.values(), *[1.0] * (DEPTH - len(p))] for p in paths])
        values = scorer.values.reshape(-1)
        self.base = trees.start + float(values @ passed.prod(axis=1))
        tables = _tables(values, passed, np.array([len(path) for path in paths]))
        self._bits, self._leaves, self._tables = {}, {}, {}
        for name in scorer.words:
            positions = np.array([[*path].index(name) if name in path else -1 for path in paths])
            leaves = np.flatnonzero(positions >= 0)
            self._leaves[name], self._tables[name] = leaves, tables[leaves, positions[leaves]]
            self._bits[name] = np.where(positions < 0, 0, 1 << np.maximum(positions, 0)).astype(
                np.uint8
            )

    def effects(self, columns: Mapping[str, Column]) -> dict[str, Array]:
        """The effect of each field, (n,) each; `columns` as `TreeScorer.log_odds` takes them."""
        cells, count = self._scorer.cells(columns), len(next(iter(columns.values())))
        found = {name: np.zeros(count) for name in columns}
        for begin in range(0, count, _ROWS):
            rows = slice(begin, min(begin + _ROWS, count))
            some = {name: own[rows] for name, own in cells.items()}
            patterns = self._patterns(some, rows.stop - begin)
            for name, table in self._tables.items():
                begins = np.arange(len(table))[:, None] * _PATTERNS
                found[name][rows] = table.take(patterns[self._leaves[name]] + begins).sum(axis=0)
        return found

    def _patterns(self, cells: Mapping[str, Cells], count: int) -> NDArray[np.uint8]:
        """By the position of each field on the path to a leaf a bit: o, (leaves, n)."""
        found = np.zeros((count, self._scorer.values.size), dtype=np.uint8)
        for name, words in self._scorer.words.items():
            own = words.take(cells[name], axis=0).view(np.uint8)
            found |= np.unpackbits(own, axis=1, bitorder="little") * self._bits[name]
        return np.ascontiguousarray(found.T)


def _paths(tree: Tree) -> list[_Path]:
    """The path to each of `LEAVES` leaves; those that the tree does not have are led to by none."""
    covers: dict[int, int] = {}
    for index, node in reversed([*enumerate(tree)]):
        covers[index] = (
            node.cover if isinstance(node, Leaf) else covers[node.left] + covers[node.right]
        )
    paths: dict[int, _Path] = {0: {}}
    for index, node in enumerate(tree):
        if not isinstance(node, Leaf):
            for ahead in (node.left, node.right):
                share = paths[index].get(node.field, 1.0) * covers[ahead] / covers[index]
                paths[ahead] = paths[index] | {node.field: share}
    found = [paths[index] for index, node in enumerate(tree) if isinstance(node, Leaf)]
    return found + [{}] * (LEAVES - len(found))


def _tables(values: Array, passed: Array, lengths: NDArray[np.intp]) -> Array:
    """The share of each field in each leaf by pattern, (leaves, `DEPTH`, patterns).

    Args:
        values: Of the leaves, (leaves,).
        passed: The z of each field on each path, 1 where none stands, (leaves, `DEPTH`).
        lengths: How many fields are on each path, (leaves,).
    """
    empty = np.arange(DEPTH) >= lengths[:, None]
    bits = np.arange(_PATTERNS) >> np.arange(DEPTH)[:, None] & 1
    o, z = np.where(empty[..., None], 1, bits), passed[..., None]
    tables = np.zeros((len(values), DEPTH, _PATTERNS))
    for i in range(DEPTH):
        others = [j for j in range(DEPTH) if j != i]
        for known in (set(s) for size in range(DEPTH) for s in combinations(others, size)):
            weight = factorial(len(known)) * factorial(DEPTH - len(known) - 1) / factorial(DEPTH)
            factors = [o[:, j] if j in known else z[:, j] for j in others]
            tables[:, i] += weight * reduce(np.multiply, factors)
        tables[:, i] *= (o[:, i] - z[:, i]) * values[:, None]
    return tables

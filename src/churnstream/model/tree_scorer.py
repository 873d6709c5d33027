"""Asking boosted trees with NumPy alone: all questions about a field at once.

The leaves of a tree are the bits of a word. What a customer holds in a field rules out, whatever it
holds in others, the leaves on the far side of each split by that field; so for every cell between
the cuts of a field the words of all trees are made beforehand. Of a tree's leaves one is left in
the words of all fields [after Lucchese et al. 2015, "QuickScorer"].
"""

from collections.abc import Iterator, Mapping
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from churnstream.model.feature_table import Array, Column
from churnstream.model.term_scorer import Cells, TermScorer
from churnstream.model.terms import Steps, Table, Terms
from churnstream.model.trees import LEAVES, Leaf, NumberSplit, Split, Tree, Trees

Words = NDArray[np.uint16]

_WORD = "<u2"  # a bit for each leaf, the first one in the first byte

_ROWS = 256  # looked up at once; more would not stay in the processor's cache


class TreeScorer:
    """Log-odds of churn by boosted trees.

    Args:
        trees: Sound ones.

    Attributes:
        words: By field that any tree asks about, the leaves that each of its cells leaves of each
            tree, (cells, trees).
        values: Of the leaves, (trees, `LEAVES`), 0 where a tree has fewer.
    """

    def __init__(self, trees: Trees) -> None:
        self.trees = trees
        fields = dict(_asked(trees))
        self._lookup = TermScorer(Terms(0.0, dict(fields)))
        leaves = [[node.value for node in tree if isinstance(node, Leaf)] for tree in trees.trees]
        self.values = np.array([[*own, *[0.0] * (LEAVES - len(own))] for own in leaves])
        self._all = np.array([(1 << len(own)) - 1 for own in leaves], dtype=_WORD)
        self._begins = np.arange(len(leaves)) * LEAVES
        self.words = {name: np.tile(self._all, (of.cells, 1)) for name, of in fields.items()}
        for number, tree in enumerate(trees.trees):
            for split, left, right in _sides(tree):
                word, goes_left = self.words[split.field], _goes_left(split, fields[split.field])
                word[goes_left, number] &= ~np.uint16(right)
                word[~goes_left, number] &= ~np.uint16(left)

    def log_odds(self, columns: Mapping[str, Column]) -> Array:
        """Log-odds, (n,), of n customers.

        Args:
            columns: By field of the trees, (n,): float with NaN, or str with None, for missing.
        """
        cells, count = self.cells(columns), len(next(iter(columns.values())))
        parts = [slice(begin, begin + _ROWS) for begin in range(0, count, _ROWS)]
        log_odds = np.empty(count)
        for rows in parts:
            own = (words.take(cells[name][rows], axis=0) for name, words in self.words.items())
            leaves = np.bitwise_count(reduce(np.bitwise_and, own, self._all) - np.uint16(1))
            log_odds[rows] = self.values.take(leaves + self._begins).sum(axis=-1)
        return self.trees.start + log_odds

    def cells(self, columns: Mapping[str, Column]) -> dict[str, Cells]:
        """The cell of each value, (n,), of each field that any tree asks about."""
        return self._lookup.cells(columns)


def _asked(trees: Trees) -> Iterator[tuple[str, Steps | Table]]:
    """The cells of each field that any tree asks about; their terms mean nothing."""
    names = {node.field for tree in trees.trees for node in tree if not isinstance(node, Leaf)}
    for name, cuts in trees.cuts().items():
        if name in names:
            yield name, Steps(tuple(cuts), (0.0,) * (len(cuts) + 1), 0.0)
    for name, texts in trees.texts.items():
        if name in names:
            yield name, Table(dict.fromkeys(texts, 0.0), 0.0, 0.0)


def _sides(tree: Tree) -> Iterator[tuple[Split, int, int]]:
    """Each split with its leaves to the left and to the right, as bits, from the last one up."""
    under: dict[int, int] = {}
    bit = 1 << sum(isinstance(node, Leaf) for node in tree)
    for index in reversed(range(len(tree))):
        node = tree[index]
        if isinstance(node, Leaf):
            bit >>= 1
            under[index] = bit
        else:
            left, right = under[node.left], under[node.right]
            under[index] = left | right
            yield node, left, right


def _goes_left(split: Split, field: Steps | Table) -> NDArray[np.bool_]:
    """Which cells of its field go left, (cells,)."""
    left = np.zeros(field.cells, dtype=np.bool_)
    if isinstance(split, NumberSplit):
        assert isinstance(field, Steps)  # noqa: S101  # for the type checker
        left[:-1] = split.below is None or np.append(field.cuts, np.inf) <= split.below
    else:
        left[list(split.cells)] = True
    left[-1] = split.missing_left
    return left

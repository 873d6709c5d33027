"""What formulas say, found the slow way."""

from collections.abc import Sequence

import numpy as np

from churnstream.model.feature_table import Array, Column, FeatureTable
from churnstream.model.features import feature_table
from churnstream.model.formula import Formula
from churnstream.model.term_scorer import TermScorer
from churnstream.model.terms import Terms
from churnstream.model.trees import Leaf, NumberSplit, Split, Tree, Trees
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema


def log_odds(schema: Schema, formula: Formula | None, events: Sequence[Event]) -> Array:
    """Of events, (n,): terms are added up column by column, trees walked customer by customer."""
    assert formula is not None
    table = feature_table(schema, events)
    if isinstance(formula, Terms):
        return TermScorer(formula).score(table.columns)
    return walked(formula, table)


def walked(trees: Trees, table: FeatureTable) -> Array:
    """Log-odds, (n,), of customers who go from node to node."""
    found = [
        trees.start + sum(leaf_of(trees, tree, table, row).value for tree in trees.trees)
        for row in range(len(table))
    ]
    return np.array(found)


def leaf_of(trees: Trees, tree: Tree, table: FeatureTable, row: int) -> Leaf:
    """Where a customer ends."""
    node = tree[0]
    while not isinstance(node, Leaf):
        value = table.columns[node.field][row : row + 1]
        node = tree[node.left if goes_left(trees, node, value) else node.right]
    return node


def goes_left(trees: Trees, split: Split, value: Column) -> bool:
    """Where a split sends a value, a column of one row."""
    (held,) = value.tolist()
    if held is None or held != held:  # noqa: PLR0124 - NaN
        return split.missing_left
    if isinstance(split, NumberSplit):
        return split.below is None or held < split.below
    texts = trees.texts[split.field]
    return (texts.index(held) if held in texts else len(texts)) in split.cells

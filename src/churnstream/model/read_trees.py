"""Reading scikit-learn's histogram boosting as nodes of our own.

The only module that knows private attributes of scikit-learn: these trees have no public ones. A
test compares what was read with `decision_function`, so a scikit-learn that keeps them otherwise is
found out before a model is made with it.
"""

from math import isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from churnstream.model.coded_fields import CodedFields
from churnstream.model.feature_table import Array
from churnstream.model.terms import Table
from churnstream.model.trees import Leaf, Node, NumberSplit, TextSplit, Trees


def read_trees(fitted: HistGradientBoostingClassifier, coded: CodedFields, codes: Array) -> Trees:
    """The same function of customers.

    Args:
        fitted: On `codes`.
        coded: What the codes mean.
        codes: Of the training customers, (n, fields).
    """
    reader = _NodeReader(coded, codes)
    return Trees(
        start=float(fitted._baseline_prediction[0, 0]),
        numbers=tuple(n for n, f in coded.fields.items() if not isinstance(f, Table)),
        texts={n: tuple(f.terms) for n, f in coded.fields.items() if isinstance(f, Table)},
        trees=tuple(
            tuple(reader.node(node, one.raw_left_cat_bitsets) for node in one.nodes)
            for (one,) in fitted._predictors
        ),
    )


class _NodeReader:
    """Knows which field each column of the trees is: scikit-learn puts categories first."""

    def __init__(self, coded: CodedFields, codes: Array) -> None:
        order = np.argsort(np.logical_not(coded.are_texts), kind="stable").tolist()
        named = [*coded.fields.items()]
        self._fields = [named[index] for index in order]
        self._seen = [np.unique(codes[:, index]).tolist() for index in order]

    def node(self, node: Any, bitsets: NDArray[np.uint32]) -> Node:  # noqa: ANN401
        if node["is_leaf"]:
            return Leaf(float(node["value"]), int(node["count"]))
        name, field = self._fields[column := int(node["feature_idx"])]
        missing_left = bool(node["missing_go_to_left"])
        ahead = int(node["left"]), int(node["right"])
        if isinstance(field, Table):
            goes_left = [missing_left] * field.cells  # where training has not seen a cell
            for rank, cell in enumerate(self._seen[column]):  # categories are numbered as they rise
                bits = int(bitsets[node["bitset_idx"], rank // 32])
                goes_left[int(cell)] = bool(bits >> rank % 32 & 1)
            cells = tuple(cell for cell, left in enumerate(goes_left[:-1]) if left)
            return TextSplit(name, cells, goes_left[-1], *ahead)
        # A code is how many cuts are at or below a value; codes up to this one go left.
        last = float(node["num_threshold"])
        below = None if isinf(last) else field.cuts[int(last)]
        return NumberSplit(name, below, missing_left, *ahead)

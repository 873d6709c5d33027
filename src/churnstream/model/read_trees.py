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
    reader = _Reader(coded, codes)
    return Trees(
        start=float(fitted._baseline_prediction[0, 0]),
        numbers=tuple(n for n, f in coded.fields.items() if not isinstance(f, Table)),
        texts={n: tuple(f.terms) for n, f in coded.fields.items() if isinstance(f, Table)},
        trees=tuple(
            tuple(reader.node(node, one.raw_left_cat_bitsets) for node in one.nodes)
            for (one,) in fitted._predictors
        ),
    )


class _Reader:
    """Knows which field each column of the trees is: scikit-learn puts categories first."""

    def __init__(self, coded: CodedFields, codes: Array) -> None:
        order = np.argsort(np.logical_not(coded.are_texts), kind="stable").tolist()
        named = [*coded.fields.items()]
        self._fields = [named[place] for place in order]
        self._has_other = [
            isinstance(field, Table) and bool(np.any(codes[:, place] == len(field.terms)))
            for place, (_, field) in zip(order, self._fields, strict=True)
        ]

    def node(self, node: Any, bitsets: NDArray[np.uint32]) -> Node:  # noqa: ANN401
        if node["is_leaf"]:
            return Leaf(float(node["value"]), int(node["count"]))
        name, field = self._fields[column := int(node["feature_idx"])]
        rest = bool(node["missing_go_to_left"]), int(node["left"]), int(node["right"])
        if not isinstance(field, Table):
            # A code is how many cuts are at or below a value; codes up to this one go left.
            last = float(node["num_threshold"])
            return NumberSplit(name, None if isinf(last) else field.cuts[int(last)], *rest)
        bits = bitsets[node["bitset_idx"]]
        known = len(field.terms) + self._has_other[column]
        cells = [c for c in range(known) if bits[c // 32] >> np.uint32(c % 32) & np.uint32(1)]
        if rest[0] and not self._has_other[column]:  # what was never seen goes as what is missing
            cells.append(len(field.terms))
        return TextSplit(name, tuple(cells), *rest)

"""Fitting a sum with pairs: boosted trees each of whose paths asks about two fields at most.

Such trees [scikit-learn's histogram boosting with `interaction_cst`] are exactly a sum of step
functions of one field and of two, and `churnstream.model.read_pairs` turns them into terms. Unlike
a sum of its own fields it can say that more calls to the hotline are bad for those who phone much.
"""

from collections.abc import Sequence
from itertools import combinations
from math import comb, isqrt

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from churnstream.model.centring import centred
from churnstream.model.coded_fields import CodedFields
from churnstream.model.feature_table import Array, FeatureTable, Labels
from churnstream.model.kinds import Detail
from churnstream.model.read_pairs import read_pairs
from churnstream.model.term_scorer import TermScorer
from churnstream.model.terms import Table, Terms

Names = tuple[str, str]

_MOST_STEPS = 64
_CELLS_OF_PAIRS = 150_000  # of numbers; each is asked of all trees when the terms are read out
_PAIRED_FIELDS = 20  # 190 pairs
_SETTINGS = {
    "smooth": {"learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 20},
    "fine": {"learning_rate": 0.1, "max_leaf_nodes": 16, "min_samples_leaf": 5},
}


class PairTrees:
    """Trees that grow on the same customers in turns.

    Args:
        pairs: The fields that may stand in one path.
        seed: Of the fields that each split may choose from.
    """

    def __init__(
        self,
        table: FeatureTable,
        labels: Labels,
        *,
        pairs: Sequence[Names],
        detail: Detail,
        seed: int,
    ) -> None:
        self.cells = CodedFields.of(table, _most_steps(table))
        self.pairs = pairs
        self._table, self._codes, self._labels = table, self.cells.codes(table), labels
        names = list(self.cells.fields)
        places = [{names.index(name) for name in pair} for pair in pairs]
        texts = [isinstance(field, Table) for field in self.cells.fields.values()]
        self._trees = HistGradientBoostingClassifier(
            **_SETTINGS[detail],
            l2_regularization=2.0,
            max_features=0.3,
            interaction_cst=places + [{place} for place in range(len(names))],
            categorical_features=texts if any(texts) else None,
            early_stopping=False,
            warm_start=True,
            random_state=seed,
        )

    def grow(self, trees: int) -> None:
        """Grow until there are so many trees."""
        self._trees.set_params(max_iter=trees).fit(self._codes, self._labels)

    def log_odds(self, table: FeatureTable) -> Array:
        """Of these customers, (n,)."""
        log_odds: Array = self._trees.decision_function(self.cells.codes(table))
        return log_odds

    def terms(self) -> Terms:
        """The same sum as terms, centred on the customers of the fit."""

        def ask(cells: NDArray[np.intp]) -> Array:
            log_odds: Array = self._trees.decision_function(self.cells.codes_of(cells))
            return log_odds

        return centred(read_pairs(ask, self.cells.fields, self.pairs, self._table), self._table)


def pairs_of(terms: Terms, table: FeatureTable) -> list[Names]:
    """Those of the fields that matter most to a sum, by the variance of their terms.

    All pairs of them, not some of all: where fields nearly repeat each other, what two of them say
    together is spread over many pairs, and a choice of a few lost a third of it and more. Twenty
    fields bound the time that a prediction takes, whatever the customers' file holds.
    """
    shares = TermScorer(terms).contributions(table.columns)
    strongest = sorted(shares, key=lambda name: -float(np.var(shares[name])))[:_PAIRED_FIELDS]
    return list(combinations([name for name in terms.fields if name in strongest], 2))


def _most_steps(table: FeatureTable) -> int:
    """Of a number; fewer where there are many numbers to pair."""
    pairs = comb(min(len(table.numeric), _PAIRED_FIELDS), 2)
    return min(_MOST_STEPS, isqrt(_CELLS_OF_PAIRS // max(pairs, 1)))

"""Fitting boosted trees: each asks up to four questions in a row, about any fields.

They find what three or four fields say only together, which no sum of pairs can.
"""

from sklearn.ensemble import HistGradientBoostingClassifier

from churnstream.model.coded_fields import CodedFields
from churnstream.model.feature_table import Array, FeatureTable, Labels
from churnstream.model.kinds import Detail
from churnstream.model.read_trees import read_trees
from churnstream.model.trees import DEPTH, Trees

_MOST_STEPS = 250  # of a number; scikit-learn's trees take no more than 255
_SETTINGS = {
    "smooth": {"learning_rate": 0.05, "l2_regularization": 2.0, "max_features": 0.3},
    "fine": {"learning_rate": 0.1, "l2_regularization": 0.0, "max_features": 0.5},
}


class BoostedTrees:
    """Trees that grow on the same customers in turns.

    Args:
        seed: Of the fields that each split may choose from.
    """

    def __init__(self, table: FeatureTable, labels: Labels, *, detail: Detail, seed: int) -> None:
        self._coded = CodedFields.of(table, _MOST_STEPS)
        self._codes, self._labels = self._coded.codes(table), labels
        texts = self._coded.are_texts
        self._trees = HistGradientBoostingClassifier(
            **_SETTINGS[detail],
            max_depth=DEPTH,
            max_leaf_nodes=None,
            min_samples_leaf=20,
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
        log_odds: Array = self._trees.decision_function(self._coded.codes(table))
        return log_odds

    def formula(self) -> Trees:
        """The same trees in the form in which they are saved."""
        return read_trees(self._trees, self._coded, self._codes)

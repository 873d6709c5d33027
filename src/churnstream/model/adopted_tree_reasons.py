"""Why a customer got its probability from boosted trees: exact Shapley values, by shap.

Needs the extra `trees`. shap's TreeExplainer computes, in closed form, the Shapley values of the
game in which an unknown column sends a customer down both branches of a split, in the proportion
in which the training customers went there [Lundberg et al. 2020, "tree_path_dependent"]. They are
those of the columns that the trees see; the values of a feature's one-hot columns are added up.
With the base value the effects of all features sum up to the log-odds.

Forests are left out: they add up in probability, and their leaves are many.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from churnstream.model.features import frame
from churnstream.model.quality import Array
from churnstream.model.reasons import Explained, Reasons, ReasonsWriter
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def tree_explainer(pipeline: "Pipeline", schema: Schema) -> "TreeExplainer | None":
    """What explains a pipeline; None if it is no boosted trees, or shap is not installed."""
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

    boosted = isinstance(pipeline[-1], GradientBoostingClassifier | HistGradientBoostingClassifier)
    if not boosted or len(pipeline) == 1 or find_spec("shap") is None:
        return None
    features = _features_of(pipeline, schema)
    return None if features is None else TreeExplainer(pipeline, schema, features)


def _features_of(pipeline: "Pipeline", schema: Schema) -> list[str] | None:
    """The feature behind each column that the trees see; None if one cannot be told.

    A step names what it makes of a column after that column: of names that begin so, the longest.
    An imputer's columns that tell what was missing begin with a word of its own.
    """
    try:
        names = [
            name.rpartition("__")[2].removeprefix("missingindicator_")
            for name in pipeline[:-1].get_feature_names_out()
        ]
    except (AttributeError, ValueError):  # a step that does not name its columns
        return None
    longest_first = sorted(schema.fields, key=len, reverse=True)
    found = [next((f for f in longest_first if name.startswith(f)), "") for name in names]
    return found if all(found) else None


class TreeExplainer:
    """Says what moved the predictions of boosted trees.

    Args:
        features: The feature behind each column that the trees see.

    Attributes:
        base: The mean log-odds of the training customers.
    """

    def __init__(self, pipeline: "Pipeline", schema: Schema, features: Sequence[str]) -> None:
        import shap

        self._schema, self._writer = schema, ReasonsWriter(schema)
        self._prepare = pipeline[:-1]
        trees: Any = shap.TreeExplainer(pipeline[-1], feature_perturbation="tree_path_dependent")
        self._trees = trees
        self.base = float(np.ravel(trees.expected_value)[0])
        self._columns = {
            name: np.flatnonzero([feature == name for feature in features])
            for name in schema.fields
        }

    def effects(self, events: Sequence[Event]) -> dict[str, Array]:
        """The effect of each feature in log-odds, (n,) each."""
        seen = self._prepare.transform(frame(self._schema, events))
        dense = seen.toarray() if hasattr(seen, "toarray") else np.asarray(seen)
        values = self._trees.shap_values(dense, check_additivity=False)
        return {name: values[:, columns].sum(axis=1) for name, columns in self._columns.items()}

    def reasons(
        self, events: Sequence[Event], says_yes: NDArray[np.bool_], explained: Explained
    ) -> Reasons:
        """The reasons of each event, as `churnstream.model.reasons.Explainer` gives them."""
        return self._writer.of_wanted(events, self.effects, says_yes, explained)

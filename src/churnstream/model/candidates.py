"""The kinds of models that are compared: the default, and what else people would take.

Each takes the raw columns, so that all it learns of them it learns where it is fitted. Its settings
are the best of a few that were tried on other splits of the bundled customers.
"""

from collections.abc import Callable, Mapping

from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from churnstream.model.train import behind_one_hot, splines
from churnstream.schema.schema import Schema

Make = Callable[[Schema], Pipeline]


def _linear(schema: Schema) -> Pipeline:
    classifier = LogisticRegression(solver="newton-cholesky")
    return behind_one_hot(make_pipeline(StandardScaler(), classifier), schema)


def _stumps(schema: Schema) -> Pipeline:
    classifier = GradientBoostingClassifier(
        n_estimators=300, learning_rate=0.2, max_depth=1, random_state=0
    )
    return behind_one_hot(classifier, schema)


def _depth_3(schema: Schema) -> Pipeline:
    classifier = GradientBoostingClassifier(
        n_estimators=120, learning_rate=0.05, max_depth=3, subsample=0.7, random_state=0
    )
    return behind_one_hot(classifier, schema)


def _histogram(schema: Schema) -> Pipeline:
    classifier = HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.04,
        max_leaf_nodes=8,
        min_samples_leaf=30,
        l2_regularization=1.0,
        random_state=0,
    )
    return behind_one_hot(classifier, schema)


def _forest(schema: Schema) -> Pipeline:
    return behind_one_hot(RandomForestClassifier(200, min_samples_leaf=8, random_state=0), schema)


CANDIDATES: Mapping[str, Make] = {
    "additive splines": splines,
    "boosted stumps": _stumps,
    "gradient boosting, depth 3": _depth_3,
    "histogram gradient boosting": _histogram,
    "random forest": _forest,
    "logistic regression": _linear,
}

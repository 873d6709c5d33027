"""The kinds of models that are compared: ours, and what else people would take.

Settings of the latter are the best of a few that were tried on other splits of the bundled
customers.
"""

from collections.abc import Callable, Mapping, Sequence

from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from churnstream.model.choose_kind import choose
from churnstream.model.event_scorer import event_scorer
from churnstream.model.feature_table import Array, Labels
from churnstream.model.features import feature_table, frame
from churnstream.model.kinds import Kind
from churnstream.model.term_scorer import probabilities
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

Score = Callable[[Sequence[Event]], Array]
"""Takes events; their probabilities of churn, (n,)."""
Fit = Callable[[Schema, Sequence[Event], Labels], Score]
"""Takes a schema, events and their labels; what scores others."""


def _ours(*kinds: Kind) -> Fit:
    """Ours, of one of these kinds."""

    def fit(schema: Schema, events: Sequence[Event], labels: Labels) -> Score:
        chosen = choose(feature_table(schema, events), labels, kinds=kinds)
        scorer = event_scorer(schema, chosen.formula)
        return lambda others: probabilities(scorer.log_odds(others))

    return fit


def _theirs(estimator: BaseEstimator) -> Fit:
    def fit(schema: Schema, events: Sequence[Event], labels: Labels) -> Score:
        pipeline = behind_one_hot(estimator, schema).fit(frame(schema, events), labels)
        return lambda others: pipeline.predict_proba(frame(schema, others))[:, 1]

    return fit


def behind_one_hot(estimator: BaseEstimator, schema: Schema) -> Pipeline:
    """Any classifier, with the preparation of the columns that every one can use."""
    numbers = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    texts = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=10, sparse_output=False
    )
    columns = [
        ("numbers", numbers, list(schema.numeric)),
        ("categories", texts, list(schema.categorical)),
    ]
    return make_pipeline(ColumnTransformer(columns), clone(estimator))


COMPARED: Mapping[str, Fit] = {
    "sum of terms": _ours("sum"),
    "sum with pairs": _ours("pairs"),
    "boosted trees": _ours("trees"),
    "boosted stumps": _theirs(
        GradientBoostingClassifier(n_estimators=300, learning_rate=0.2, max_depth=1, random_state=0)
    ),
    "gradient boosting, depth 3": _theirs(
        GradientBoostingClassifier(
            n_estimators=120, learning_rate=0.05, max_depth=3, subsample=0.7, random_state=0
        )
    ),
    "histogram gradient boosting": _theirs(
        HistGradientBoostingClassifier(
            max_iter=150,
            learning_rate=0.04,
            max_leaf_nodes=8,
            min_samples_leaf=30,
            l2_regularization=1.0,
            random_state=0,
        )
    ),
    "random forest": _theirs(RandomForestClassifier(200, min_samples_leaf=8, random_state=0)),
    "logistic regression": _theirs(
        make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky"))
    ),
}

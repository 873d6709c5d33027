"""Reasons of boosted trees, with shap; here because the light installation has none."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)

from bank import BANK, bank_customer
from builders import TELCO, CustomerEvent
from churnstream.model.adopt import adopt
from churnstream.model.adopted_tree_reasons import TreeExplainer
from churnstream.model.compared_kinds import behind_one_hot
from churnstream.model.feature_table import FeatureTable
from churnstream.model.features import frame
from churnstream.model.fit_trees import BoostedTrees
from churnstream.model.manifest import load, save
from churnstream.model.scorer import Model
from churnstream.model.train import labels_of
from churnstream.model.tree_effects import TreeEffects
from churnstream.model.tree_scorer import TreeScorer
from pipelines import adopted

TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


def model_of(estimator: BaseEstimator, customers: list[CustomerEvent], folder: Path) -> Model:
    """A pipeline that was adopted, saved and loaded."""
    save(adopted(customers[:2000], estimator), folder, TRUSTED)
    return load(folder, TRUSTED)


@pytest.mark.parametrize(
    "estimator",
    [
        GradientBoostingClassifier(n_estimators=30, max_depth=3, random_state=0),
        HistGradientBoostingClassifier(max_iter=30, random_state=0),
    ],
)
def test_effects_add_up_to_the_log_odds(
    estimator: BaseEstimator, customers: list[CustomerEvent], tmp_path: Path
) -> None:
    """The effects of all features and the base value give the log-odds to 1e-9."""
    model = model_of(estimator, customers, tmp_path)
    assert isinstance(model.explainer, TreeExplainer)
    effects = model.explainer.effects(customers)

    probabilities = model.score(customers)
    log_odds = np.log(probabilities) - np.log1p(-probabilities)
    assert set(effects) == set(TELCO.fields)
    total = model.explainer.base + np.sum(list(effects.values()), axis=0)
    np.testing.assert_allclose(total, log_odds, rtol=0, atol=1e-9)


def test_other_customers_with_gaps_have_reasons_too(tmp_path: Path) -> None:
    """Of any schema; what an imputer says of a missing number counts to its field."""
    random = np.random.default_rng(0)
    events = [
        bank_customer(
            CustomerId=str(n),
            Age=int(age),
            Geography=str(random.choice(["France", "Germany", "Spain"])),
            Balance=None if n % 5 == 0 else float(random.exponential(1000)),
            Exited=str(int(random.random() < (0.7 if age > 50 or n % 5 == 0 else 0.2))),
        )
        for n, age in enumerate(random.integers(18, 90, 600))
    ]
    trees = GradientBoostingClassifier(n_estimators=30, max_depth=3, random_state=0)
    pipeline = behind_one_hot(trees, BANK).fit(frame(BANK, events), labels_of(BANK, events))
    save(adopt(pipeline, BANK, events), tmp_path, TRUSTED)
    model = load(tmp_path, TRUSTED)

    assert isinstance(model.explainer, TreeExplainer)
    effects = model.explainer.effects(events)
    probabilities = model.score(events)
    total = model.explainer.base + np.sum(list(effects.values()), axis=0)
    log_odds = np.log(probabilities) - np.log1p(-probabilities)
    np.testing.assert_allclose(total, log_odds, rtol=0, atol=1e-9)
    gaps = np.array([event.Balance is None for event in events])
    assert np.mean(effects["Balance"][gaps]) > np.mean(effects["Balance"][~gaps]) + 0.5


def test_reasons_are_the_strongest_effects(customers: list[CustomerEvent], tmp_path: Path) -> None:
    """A Yes gets what raises the risk most, a No what lowers it most, and as many as are asked."""
    model = model_of(GradientBoostingClassifier(n_estimators=30), customers, tmp_path)
    assert isinstance(model.explainer, TreeExplainer)
    some = customers[:300]
    probabilities = model.score(some)
    says_yes = probabilities >= model.threshold
    effects = np.array(list(model.explainer.effects(some).values()))
    signed = np.sort(np.where(says_yes, -effects, effects), axis=0)[:3]

    for row, reasons in enumerate(model.reasons(some, probabilities, "all")):
        assert reasons is not None
        assert np.abs([r.effect for r in reasons]) == pytest.approx(
            np.abs(signed[:, row]), abs=1e-4
        )
    given = [reasons is not None for reasons in model.reasons(some, probabilities, "top")]
    assert given == says_yes.tolist()
    assert model.reasons(some, probabilities, "none") == [None] * len(some)


def test_forests_have_none(customers: list[CustomerEvent], tmp_path: Path) -> None:
    """They add up in probability, not in log-odds, so none are made up."""
    model = model_of(RandomForestClassifier(10, random_state=0), customers, tmp_path)

    assert model.explainer is None


def test_effects_of_own_trees_are_those_of_shap() -> None:
    """What the trees of our own say by look-up, shap's explainer of the same trees says as well."""
    import shap

    random = np.random.default_rng(8)
    numbers = {name: random.normal(size=600) for name in "abcdef"}
    labels = (numbers["a"] * numbers["b"] + numbers["c"] > 0).astype(np.int64)
    numbers["d"][::3] = np.nan
    table = FeatureTable(numbers, {})
    boosted = BoostedTrees(table, labels, detail="fine", seed=1)
    boosted.grow(30)
    effects = TreeEffects(TreeScorer(boosted.formula()))
    theirs = shap.TreeExplainer(boosted._trees, feature_perturbation="tree_path_dependent")

    found = np.column_stack([*effects.effects(table.columns).values()])
    np.testing.assert_allclose(found, theirs.shap_values(boosted._codes), rtol=0, atol=1e-6)
    assert effects.base == pytest.approx(float(np.ravel(theirs.expected_value)[0]), abs=1e-6)

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

from builders import TELCO, CustomerEvent
from churnstream.model.manifest import load, save
from churnstream.model.scorer import Model
from churnstream.model.tree_reasons import TreeExplainer
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

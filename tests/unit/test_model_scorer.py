"""The contract of a scorer: pure, vectorised, and equal to the sum of its terms."""

import json
import random
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.json import encode
from msgspec.structs import replace
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from builders import TELCO, CustomerEvent, decode_event
from churnstream.errors import ModelError
from churnstream.model.feature_table import Array
from churnstream.model.features import frame
from churnstream.model.manifest import load, save
from churnstream.model.scorer import Model
from churnstream.model.term_scorer import probabilities
from churnstream.model.terms import Curve, Terms
from churnstream.model.train import labels_of
from churnstream.records.rejection import Rejection
from formulas import log_odds
from pipelines import adopted


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    """The default model, as saved and loaded."""
    return load(trained)


def summed(model: Model, events: Sequence[CustomerEvent]) -> Array:
    """Probabilities by adding up the terms column by column, without any memory."""
    return probabilities(log_odds(TELCO, model.formula, events))


def test_scores_are_probabilities_by_the_terms(
    model: Model, customers: list[CustomerEvent]
) -> None:
    """A score is the logistic function of the sum, a float64 for each event."""
    scores = model.score(customers)

    expected = summed(model, customers)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-12)
    assert scores.dtype == np.float64
    assert scores.shape == (len(customers),)
    assert scores.min() > 0
    assert scores.max() < 1


def test_no_events_have_no_scores(model: Model) -> None:
    """An empty batch is scored like any other."""
    assert model.score([]).shape == (0,)


def test_a_batch_scores_as_its_events_one_by_one(
    model: Model, customers: list[CustomerEvent]
) -> None:
    """The boundaries of batches change no score."""
    some = random.Random(42).sample(customers, 100)
    one_by_one = [model.score([event])[0] for event in some]

    np.testing.assert_allclose(model.score(some), one_by_one, rtol=0, atol=1e-12)


def test_the_order_of_events_is_irrelevant(model: Model, customers: list[CustomerEvent]) -> None:
    """Shuffled events have the shuffled scores."""
    order = np.random.default_rng(42).permutation(len(customers))
    shuffled = [customers[index] for index in order]

    np.testing.assert_allclose(
        model.score(shuffled), model.score(customers)[order], rtol=0, atol=1e-12
    )


def test_the_order_of_fields_is_irrelevant(model: Model, customers: list[CustomerEvent]) -> None:
    """An event whose JSON names its fields in another order has the same score."""
    event = customers[0]
    fields = list(json.loads(encode(event)).items())
    turned = decode_event(msgspec.json.encode(dict(fields[::-1])), event.customerID.encode())

    assert isinstance(turned, CustomerEvent)
    assert model.score([turned]) == model.score([event])


def test_only_features_count(model: Model, customers: list[CustomerEvent]) -> None:
    """Who a customer is, when the event was seen, and the label move no score."""
    event = customers[0]
    other = replace(event, customerID="x", event_ts=customers[0].event_ts.max, Churn="Yes")

    assert model.score([other]) == model.score([event])


def test_absurd_numbers_are_scored(model: Model, customers: list[CustomerEvent]) -> None:
    """The largest numbers that an event can hold get the score of merely large ones."""
    largest = sys.float_info.max
    absurd = replace(customers[0], tenure=2**63 - 1, MonthlyCharges=largest, TotalCharges=largest)
    large = replace(customers[0], tenure=72, MonthlyCharges=118.75, TotalCharges=8684.8)

    np.testing.assert_allclose(model.score([absurd]), model.score([large]), rtol=1e-9)


def test_a_customer_of_an_unknown_category_is_refused(
    model: Model, customers: list[CustomerEvent]
) -> None:
    """The model's decoder knows the categories that it was trained on, and no others."""
    event = replace(customers[1], Contract="Weekly")

    outcome = model.decode(encode(event), event.customerID.encode())

    assert isinstance(outcome, Rejection)
    assert outcome.field == "Contract"


def test_a_model_names_itself(model: Model) -> None:
    """Version and threshold are those of the manifest."""
    assert (model.version, model.threshold) == (model.manifest.version, model.manifest.threshold)


def test_a_formula_is_no_pipeline(model: Model) -> None:
    """Who asks for one is told so."""
    with pytest.raises(ModelError, match=f"model {model.version} computes by a formula and is no "):
        _ = model.pipeline


AMOUNT = st.floats(0, sys.float_info.max) | st.floats(0, 10_000)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**63 - 1) | st.integers(0, 100), AMOUNT, AMOUNT | st.none(), st.integers(0))
def test_any_amounts_are_summed_alike(
    model: Model,
    customers: list[CustomerEvent],
    tenure: int,
    monthly: float,
    total: float | None,
    row: int,
) -> None:
    """Looked-up terms and columns of them agree on customers that nobody has."""
    event = replace(
        customers[row % len(customers)], tenure=tenure, MonthlyCharges=monthly, TotalCharges=total
    )

    np.testing.assert_allclose(model.score([event]), summed(model, [event]), rtol=0, atol=1e-12)


def test_curves_have_no_jumps(model: Model, customers: list[CustomerEvent]) -> None:
    """On both sides of each boundary of a curve the scores are the same to 1e-9."""
    assert isinstance(model.formula, Terms)
    for name in ("MonthlyCharges", "TotalCharges"):
        curve = model.formula.fields[name]
        assert isinstance(curve, Curve)
        knots = np.expm1(curve.knots)
        below, above = (
            model.score([replace(customers[0], **{name: float(k * by)}) for k in knots])
            for by in (1 - 1e-12, 1 + 1e-12)
        )
        np.testing.assert_allclose(below, above, rtol=0, atol=1e-9)


def test_other_pipelines_are_asked(customers: list[CustomerEvent], tmp_path: Path) -> None:
    """A classifier that is no sum of terms scores through its own predict_proba."""
    save(adopted(customers[:500]), tmp_path)
    model = load(tmp_path)

    expected = model.pipeline.predict_proba(frame(TELCO, customers[:50]))[:, 1]
    np.testing.assert_array_equal(model.score(customers[:50]), expected)


def test_one_event_takes_no_other_along(customers: list[CustomerEvent], tmp_path: Path) -> None:
    """An amount that overflows on its way through a pipeline leaves only its own event unscored."""
    powers = make_column_transformer((PolynomialFeatures(30), ["tenure", "MonthlyCharges"]))
    fitted = adopted(customers[:500], DummyClassifier(strategy="prior"))
    pipeline = make_pipeline(powers, StandardScaler(), LogisticRegression(max_iter=1, tol=1e9))
    with warnings.catch_warnings(action="ignore"):
        pipeline.fit(frame(TELCO, customers[:500]), labels_of(TELCO, customers[:500]))
    model = Model(save(fitted, tmp_path), None, lambda: pipeline)
    odd = [replace(customers[n], MonthlyCharges=1e300) for n in (0, 7, 8)]
    events = [odd[0], *customers[1:7], odd[1], odd[2], *customers[9:20]]

    with np.errstate(all="ignore"):
        found = model.score(events)

    assert np.flatnonzero(np.isnan(found)).tolist() == [0, 7, 8]
    good = [event for event in events if event not in odd]
    np.testing.assert_array_equal(found[~np.isnan(found)], model.ask(good))

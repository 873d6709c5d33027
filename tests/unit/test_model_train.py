"""Training: what it reaches on the bundled customers, and what it refuses."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sklearn.exceptions import NotFittedError
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from builders import TELCO, CustomerEvent
from churnstream.errors import ModelError
from churnstream.model.features import frame
from churnstream.model.quality import Array, evaluate
from churnstream.model.train import TrainedModel, train


@pytest.fixture(scope="module")
def model(customers: list[CustomerEvent]) -> TrainedModel:
    """The default model."""
    return train(TELCO, customers)


def score(model: TrainedModel, events: Sequence[CustomerEvent]) -> Array:
    """Probabilities of churn."""
    probabilities: Array = model.pipeline.predict_proba(frame(TELCO, events))
    return probabilities[:, 1]


def log_odds(probabilities: Array) -> Array:
    """The scale on which an additive model adds."""
    return np.log(probabilities / (1 - probabilities))


def test_the_default_model_is_good_enough(model: TrainedModel) -> None:
    """On the bundled customers, ranking, calibration and F1 reach what the project promises."""
    assert model.test.roc_auc >= 0.845
    assert model.test.f1 >= 0.63
    assert model.cross_validated["roc_auc"].mean >= 0.850
    assert model.cross_validated["average_precision"].mean >= 0.672
    assert model.out_of_fold.calibration_error <= 0.008


def test_the_test_part_is_a_stratified_fifth(
    model: TrainedModel, customers: list[CustomerEvent]
) -> None:
    """Every customer is either held out or in exactly one fold, in proportion of the labels."""
    churners = sum(event.Churn == "Yes" for event in customers)

    assert model.rows == len(customers) == model.test.rows + model.out_of_fold.rows
    assert model.test.rows == -(-len(customers) // 5)
    assert model.test.positives == round(churners / 5)


def test_the_threshold_comes_from_predictions_out_of_fold(model: TrainedModel) -> None:
    """The threshold lies between the extremes, and F1 on unseen folds is near that of the test."""
    assert 0.1 < model.threshold < 0.6
    assert model.out_of_fold.f1 == pytest.approx(model.test.f1, abs=0.03)


def test_training_can_be_repeated(model: TrainedModel, customers: list[CustomerEvent]) -> None:
    """The same customers and seed give the same probabilities, whenever they were observed."""
    later = [replace(event, event_ts=event.event_ts + timedelta(days=1)) for event in customers]
    again = train(TELCO, later)

    np.testing.assert_array_equal(score(again, customers), score(model, customers))
    assert (again.digest, again.threshold, again.test) == (
        model.digest,
        model.threshold,
        model.test,
    )


def test_another_label_is_other_training_data(customers: list[CustomerEvent]) -> None:
    """One changed label changes the digest; another seed changes the test part alone."""
    some = customers[:300]
    flipped = [replace(some[0], Churn="No" if some[0].Churn == "Yes" else "Yes"), *some[1:]]
    model, other = train(TELCO, some), train(TELCO, flipped, seed=42)
    reseeded = train(TELCO, some, seed=1)

    assert other.digest != model.digest == reseeded.digest
    assert reseeded.test != model.test


def test_events_without_a_label_are_refused(customers: list[CustomerEvent]) -> None:
    """Unlabelled customers are counted, not dropped in silence."""
    some = [replace(event, Churn=None) for event in customers[:3]] + customers[3:100]

    with pytest.raises(ModelError, match=r"3 of 100 customers have no label in Churn"):
        train(TELCO, some)


@pytest.mark.parametrize("churners", [0, 9])
def test_too_few_churners_are_refused(churners: int, customers: list[CustomerEvent]) -> None:
    """Too few of a label to split and to cross-validate is one clear error."""
    yes = [event for event in customers if event.Churn == "Yes"][:churners]
    no = [event for event in customers if event.Churn == "No"][:50]

    with pytest.raises(ModelError, match=f"{churners} of {churners + 50} customers churned; needs"):
        train(TELCO, yes + no)


def test_very_few_and_uniform_customers_train(customers: list[CustomerEvent]) -> None:
    """Forty customers without any variety are enough for a model that knows the rate."""
    alike = [replace(customers[0], Churn="Yes" if n % 4 == 0 else "No") for n in range(40)]

    np.testing.assert_allclose(score(train(TELCO, alike), alike), 0.25)


def test_any_classifier_can_be_trained(customers: list[CustomerEvent]) -> None:
    """A given classifier stands behind the preparation of columns and is itself left alone."""
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    model = train(TELCO, customers[:1000], estimator=tree)

    assert evaluate(
        np.array([event.Churn == "Yes" for event in customers], dtype=np.int64),
        score(model, customers),
        model.threshold,
    ).roc_auc == pytest.approx(0.8, abs=0.05)
    with pytest.raises(NotFittedError):
        check_is_fitted(tree)


def test_reference_rows_tell_nothing_about_anybody(model: TrainedModel) -> None:
    """The rows for the self-check carry neither ID nor label."""
    assert [row.event["customerID"] for row in model.reference] == [
        f"reference-{number}" for number in range(1, 21)
    ]
    assert all("Churn" not in row.event for row in model.reference)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_default_model_is_a_sum_of_one_term_per_feature(
    data: st.DataObject, model: TrainedModel, customers: list[CustomerEvent]
) -> None:
    """Exchanging one feature moves the log-odds by the same amount, whatever the others are."""
    field = data.draw(st.sampled_from([*TELCO.fields]))
    places = st.integers(0, len(customers) - 1)
    one, other, donor = (customers[data.draw(places)] for _ in range(3))
    exchanged = [replace(event, **{field: getattr(donor, field)}) for event in (one, other)]
    same = [replace(event, **{field: getattr(one, field)}) for event in (one, other)]

    effects = log_odds(score(model, exchanged)) - log_odds(score(model, same))
    assert effects[0] == pytest.approx(effects[1], abs=1e-9)

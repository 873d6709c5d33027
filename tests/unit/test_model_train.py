"""Training: what it reaches on the bundled customers, and what it refuses."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import TELCO, CustomerEvent
from churnstream.errors import ModelError
from churnstream.model.event_scorer import event_scorer
from churnstream.model.profit import gains, point
from churnstream.model.quality import Array, best_f1_threshold
from churnstream.model.term_scorer import probabilities as as_probabilities
from churnstream.model.train import TrainedModel, folds_of, held_out, measured_on, train
from churnstream.schema.fields import Category
from quick import train_quickly


@pytest.fixture(scope="module")
def model(customers: list[CustomerEvent]) -> TrainedModel:
    """The default model."""
    return train(TELCO, customers)


def score(model: TrainedModel, events: Sequence[CustomerEvent]) -> Array:
    """Probabilities of churn."""
    assert model.formula is not None
    return as_probabilities(event_scorer(model.schema, model.formula).log_odds(events))


def log_odds(probabilities: Array) -> Array:
    """The scale on which an additive model adds."""
    return np.log(probabilities / (1 - probabilities))


def test_the_default_model_is_good_enough(model: TrainedModel) -> None:
    """On the bundled customers, ranking, calibration and F1 reach what the project promises."""
    assert model.test.roc_auc >= 0.845
    assert model.test.f1 >= 0.63
    assert model.cross_validated["roc_auc"].mean >= 0.848
    assert model.cross_validated["average_precision"].mean >= 0.665
    assert model.out_of_fold.calibration_error <= 0.010


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
    model, other = train_quickly(TELCO, some), train_quickly(TELCO, flipped, seed=42)
    reseeded = train_quickly(TELCO, some, seed=1)

    assert other.digest != model.digest == reseeded.digest
    assert reseeded.test != model.test


def test_events_without_a_label_are_refused(customers: list[CustomerEvent]) -> None:
    """Unlabelled customers are counted, not dropped in silence."""
    some = [replace(event, Churn=None) for event in customers[:3]] + customers[3:100]

    with pytest.raises(ModelError, match=r"3 of 100 customers have no label in Churn"):
        train_quickly(TELCO, some)


def test_too_few_customers_in_many_rows_are_refused(customers: list[CustomerEvent]) -> None:
    """One who churned in a dozen rows is one customer: no fold can do without."""
    left = replace(customers[0], customerID="one", Churn="Yes")
    stayed = [event for event in customers if event.Churn == "No"][:50]

    with pytest.raises(ModelError, match=r"1 of 51 customers churned; needs at least 5 who did"):
        train_quickly(TELCO, [left] * 12 + stayed)


@pytest.mark.parametrize("churners", [0, 9])
def test_too_few_churners_are_refused(churners: int, customers: list[CustomerEvent]) -> None:
    """Too few of a label to split and to cross-validate is one clear error."""
    yes = [event for event in customers if event.Churn == "Yes"][:churners]
    no = [event for event in customers if event.Churn == "No"][:50]

    with pytest.raises(ModelError, match=f"{churners} of {churners + 50} customers churned; needs"):
        train_quickly(TELCO, yes + no)


def test_very_few_and_uniform_customers_train(customers: list[CustomerEvent]) -> None:
    """Forty customers without any variety are enough for a model that knows the rate."""
    alike = [
        replace(customers[0], customerID=f"C{n}", Churn="Yes" if n % 4 == 0 else "No")
        for n in range(40)
    ]

    np.testing.assert_allclose(score(train_quickly(TELCO, alike), alike), 0.25)


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


# ---- the threshold ----


def test_the_threshold_is_the_most_profitable_one_where_customers_have_a_value(
    model: TrainedModel,
) -> None:
    """Of all probabilities out of fold, with the cost that makes offers to all earn nothing."""
    assert model.decision.rule == "profit"
    assert model.decision.cost_neutral
    gained = gains(model.decision.offer, model.predictions)
    profits = [
        point(p, gained, model.predictions.probabilities).profit
        for p in (*np.unique(model.predictions.probabilities).tolist(), 1.0)
    ]
    assert model.decision.out_of_fold.profit == pytest.approx(max(profits))
    assert model.decision.out_of_fold.threshold == model.threshold


def test_without_a_value_the_threshold_is_that_of_the_best_f1(
    customers: list[CustomerEvent],
) -> None:
    """Profit cannot be asked for where nobody says what a customer is worth, and it is said."""
    valueless = msgspec.structs.replace(TELCO, value=None)
    model = train_quickly(valueless, customers[:400])

    assert model.decision.rule == "f1"
    found = model.predictions
    assert model.threshold == best_f1_threshold(found.labels, found.probabilities)
    assert set(found.worth.tolist()) == {0.0}


def test_one_value_for_everybody_is_a_value(customers: list[CustomerEvent]) -> None:
    """Then profit counts customers at that price."""
    model = train_quickly(msgspec.structs.replace(TELCO, value=30.0), customers[:400])

    assert model.decision.rule == "profit"
    assert set(model.predictions.worth.tolist()) == {30.0}


def test_a_given_threshold_is_taken_as_it_is(customers: list[CustomerEvent]) -> None:
    """And f1 where it is asked for."""
    some = customers[:400]
    given, f1 = (
        train_quickly(TELCO, some, threshold=0.4),
        train_quickly(TELCO, some, threshold="f1"),
    )

    assert (given.decision.rule, given.threshold) == ("fixed", 0.4)
    assert f1.decision.rule == "f1"
    assert f1.threshold == best_f1_threshold(f1.predictions.labels, f1.predictions.probabilities)


# ---- customers of several rows ----


def test_a_customer_of_several_rows_is_on_one_side_of_every_split(
    customers: list[CustomerEvent],
) -> None:
    """Held out with all rows or with none, and in one fold."""
    some = [*customers[:300], *customers[:150], *customers[:50]]
    seen, held = measured_on(TELCO, some, 42)
    assert sorted([*seen, *held]) == list(range(len(some)))

    def ids(rows: Iterable[int]) -> set[str]:
        return {str(some[row].customerID) for row in rows}

    assert not ids(seen) & ids(held)
    assert [event.customerID for event in held_out(TELCO, some, 42)] == [
        some[row].customerID for row in held
    ]
    parts = [ids(seen[fold]) for fold in folds_of(TELCO, some, seen, 42)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(ids(seen))


def test_copies_of_a_customer_do_not_flatter(customers: list[CustomerEvent]) -> None:
    """Customers who are there four times are not known to the model that is measured on them."""
    random = np.random.default_rng(0)
    noise = [replace(event, Churn=str(random.choice(["Yes", "No"]))) for event in customers[:150]]
    model = train_quickly(TELCO, noise * 4)

    assert model.out_of_fold.roc_auc < 0.65
    assert model.test.roc_auc < 0.75


# ---- what is learnt of the schema ----


def test_categories_are_closed_by_what_occurs(customers: list[CustomerEvent]) -> None:
    """A category whose values the schema does not list gets those of the training customers."""
    some = [event for event in customers[:500] if event.Contract != "Two year"]
    contract = msgspec.structs.replace(TELCO.fields["Contract"], values=None)
    learnt = msgspec.structs.replace(TELCO, fields=TELCO.fields | {"Contract": contract})
    known = train_quickly(learnt, some).schema.fields["Contract"]

    assert isinstance(known, Category)
    assert known.values == ("Month-to-month", "One year")


def test_a_schema_without_a_label_cannot_be_trained_on(customers: list[CustomerEvent]) -> None:
    """Nobody knows who has left."""
    unlabelled = msgspec.structs.replace(TELCO, label=None)

    with pytest.raises(ModelError, match="the schema says of no column that it is the label"):
        train_quickly(unlabelled, customers[:100])

"""The contract of a scorer: pure, vectorised, and equal to its pipeline."""

import json
import random
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from churnstream.messages import CustomerEvent, decode_event, encode
from churnstream.model.features import frame
from churnstream.model.manifest import load
from churnstream.model.scorer import Model


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    """The default model, as saved and loaded."""
    return load(trained)


def test_scores_are_probabilities_of_the_pipeline(
    model: Model, customers: list[CustomerEvent]
) -> None:
    """A score is the second column of `predict_proba`, a float64 for each event."""
    scores = model.score(customers)

    expected = model.pipeline.predict_proba(frame(customers))[:, 1]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-12)
    assert scores.dtype == np.float64
    assert scores.shape == (len(customers),)
    assert scores.min() > 0
    assert scores.max() < 1


def test_no_events_have_no_scores(model: Model) -> None:
    """An empty batch is scored and checked like any other."""
    assert model.score([]).shape == (0,)
    assert model.check([]) == {}


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
    """The model checks events against the categories that it was trained on."""
    events = [customers[0], replace(customers[1], Contract="Weekly")]

    assert {index: why.field for index, why in model.check(events).items()} == {1: "Contract"}


def test_a_model_names_itself(model: Model) -> None:
    """Version and threshold are those of the manifest."""
    assert (model.version, model.threshold) == (model.manifest.version, model.manifest.threshold)

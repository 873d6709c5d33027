"""Whatever a customer is: what was trained, saved and loaded scores, and says exactly why."""

from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnstream.model.event_scorer import event_scorer
from churnstream.model.kinds import Kind
from churnstream.model.reasons import Explainer
from churnstream.model.term_scorer import probabilities
from churnstream.records.rejection import Rejection
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from formulas import log_odds
from made_customers import customers, unseen_of
from made_models import trained_as

FEW = settings(max_examples=30, deadline=None)


@given(customers(), st.sampled_from(get_args(Kind)), st.integers(0, 2**32 - 1))
@FEW
def test_any_customers(made: tuple[Schema, list[Event]], kind: Kind, seed: int) -> None:
    """Scores are the formula's to 1e-12, effects add up to it to 1e-9, for whoever comes."""
    schema, events = made
    model = trained_as(schema, events, kind)
    assert model.manifest.kind == kind
    assert isinstance(model.explainer, Explainer)
    for some in (events, unseen_of(schema, events, np.random.default_rng(seed))):
        if not some:
            continue
        found, scores = log_odds(schema, model.formula, some), model.score(some)
        np.testing.assert_allclose(scores, probabilities(found), rtol=0, atol=1e-12)
        alone = [model.score([event])[0] for event in some]
        np.testing.assert_allclose(alone, scores, rtol=0, atol=1e-12)
        effects = model.explainer.effects(some)
        assert list(effects) == [*schema.numeric, *schema.categorical]
        total = model.explainer.base + sum(effects.values())
        np.testing.assert_allclose(total, found, rtol=0, atol=1e-9)
        for reasons in model.reasons(some, scores, "all"):
            assert reasons is not None
            assert len(reasons) == min(3, len(schema.fields))
            assert all(reason.text.endswith("the risk") for reason in reasons)
        assert {sum(counts.values()) for counts in model.count(some, scores).values()} == {
            len(some)
        }


@given(customers(rows=60))
@settings(max_examples=15, deadline=None)
def test_what_travels_scores_the_same(made: tuple[Schema, list[Event]]) -> None:
    """An event that the loaded model decodes from JSON has the score of the customer it was."""
    schema, events = made
    model = trained_as(schema, events, "sum")
    values = [msgspec.json.encode(event) for event in events]
    decoded = model.decode.batch(values, [schema.id_of(event).encode() for event in events])
    good = [event for event in decoded if not isinstance(event, Rejection)]
    assert len(good) == len(events)
    np.testing.assert_allclose(model.score(good), model.score(events), rtol=0, atol=1e-12)
    assert model.knows(good).all()


@given(customers(), st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_any_customers_are_looked_up_in_parts(made: tuple[Schema, list[Event]], seed: int) -> None:
    """A memory of three combinations changes no score."""
    schema, events = made
    model = trained_as(schema, events, "pairs")
    assert model.formula is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("churnstream.model.term_event_scorer._MAX_COMBINATIONS", 3)
        scorer = event_scorer(model.schema, model.formula)
        for some in (events[:10], events[5:30], events):
            np.testing.assert_allclose(
                scorer.log_odds(some), log_odds(schema, model.formula, some), rtol=0, atol=1e-12
            )

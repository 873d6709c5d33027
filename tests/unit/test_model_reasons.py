"""Reasons are exact Shapley values, and their words say what they are."""

import re
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import TELCO, CustomerEvent
from churnstream.model import reasons as reasons_module
from churnstream.model.background import SCORE, Background, background
from churnstream.model.centring import centred
from churnstream.model.choose_kind import choose
from churnstream.model.features import feature_table
from churnstream.model.manifest import load, save
from churnstream.model.phrases import reason_writer
from churnstream.model.reasons import Explained, Explainer, ReasonsWriter
from churnstream.model.scorer import Model
from churnstream.model.terms import Terms
from churnstream.model.train import labels_of
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.fields import known_values
from churnstream.schema.values import plain
from formulas import log_odds
from pipelines import adopted

reason_for = reason_writer(TELCO)
ANY_CUSTOMER = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30
)


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    """The default model: a sum."""
    return that_says_yes_from(0.3, load(trained))


@pytest.fixture(scope="module")
def paired(customers: list[CustomerEvent]) -> Model:
    """A sum with pairs, of some of the customers."""
    some = customers[:2000]
    chosen = choose(feature_table(TELCO, some), labels_of(TELCO, some), kinds=["pairs"])
    assert isinstance(chosen.formula, Terms)
    assert len(chosen.formula.pairs) > 50
    return Model(cast(Any, SimpleNamespace(threshold=0.3, schema=TELCO)), chosen.formula)


@pytest.fixture(scope="module")
def boosted(customers: list[CustomerEvent]) -> Model:
    """Boosted trees, of some of the customers."""
    some = customers[:2000]
    chosen = choose(feature_table(TELCO, some), labels_of(TELCO, some), kinds=["trees"])
    return Model(cast(Any, SimpleNamespace(threshold=0.3, schema=TELCO)), chosen.formula)


@pytest.fixture(params=["model", "paired", "boosted"])
def either(request: pytest.FixtureRequest) -> Model:
    """A model of each kind."""
    model: Model = request.getfixturevalue(request.param)
    return model


@pytest.fixture(scope="module")
def explainer(model: Model) -> Explainer:
    """The model's."""
    return explainer_of(model)


def that_says_yes_from(threshold: float, model: Model) -> Model:
    """The same model with another threshold."""
    return Model(replace(model.manifest, threshold=threshold), model.formula)


def explainer_of(model: Model) -> Explainer:
    """Knows the effects of a sum of terms."""
    assert isinstance(model.explainer, Explainer)
    return model.explainer


AMOUNT = st.floats(0, sys.float_info.max) | st.floats(0, 10_000)


@st.composite
def anybody(draw: st.DrawFn, customers: list[CustomerEvent]) -> CustomerEvent:
    """A customer of any known categories and any amounts."""
    names = TELCO.categorical
    texts = {name: draw(st.sampled_from(known_values(TELCO.fields[name]))) for name in names}
    return replace(
        customers[0],
        tenure=draw(st.integers(0, 2**63 - 1) | st.integers(0, 100)),
        MonthlyCharges=draw(AMOUNT),
        TotalCharges=draw(AMOUNT | st.none()),
        **texts,
    )


def test_effects_and_base_give_the_log_odds(either: Model, customers: list[CustomerEvent]) -> None:
    """For every bundled customer the effects and the base add up to the log-odds of its score."""
    explainer = explainer_of(either)
    effects = explainer.effects(customers)

    assert set(effects) == set(TELCO.fields)
    total = explainer.base + sum(effects.values())
    np.testing.assert_allclose(total, log_odds(TELCO, either.formula, customers), rtol=0, atol=1e-9)
    scores = either.score(customers)
    np.testing.assert_allclose(total, np.log(scores / (1 - scores)), rtol=0, atol=1e-9)


@ANY_CUSTOMER
@given(st.data())
def test_effects_and_base_give_the_log_odds_of_anybody(
    either: Model, customers: list[CustomerEvent], data: st.DataObject
) -> None:
    """Also for customers that nobody has, the effects and the base add up."""
    event, explainer = data.draw(anybody(customers)), explainer_of(either)

    total = explainer.base + sum(effect[0] for effect in explainer.effects([event]).values())
    assert total == pytest.approx(log_odds(TELCO, either.formula, [event])[0], rel=0, abs=1e-9)


def test_the_effects_of_the_training_customers_average_to_nothing(
    paired: Model, customers: list[CustomerEvent]
) -> None:
    """An effect compares to the training customers, so over them its mean is 0."""
    for effect in explainer_of(paired).effects(customers[:2000]).values():
        assert effect.mean() == pytest.approx(0, abs=1e-9)


def centred_on(customers: list[CustomerEvent], model: Model) -> Model:
    """The same model, its effects compared to these customers."""
    assert isinstance(model.formula, Terms)
    terms = centred(model.formula, feature_table(TELCO, customers))
    return Model(model.manifest, terms)


@ANY_CUSTOMER
@given(st.data())
def test_effects_of_a_sum_are_shapley_values(
    model: Model, customers: list[CustomerEvent], data: st.DataObject
) -> None:
    """Whatever is known already, to learn a feature moves the expected log-odds by its effect.

    So its average over all orders, the Shapley value by definition, is that effect. Those of pairs
    are compared to the definition where they are made, in the tests of terms.
    """
    others = customers[:50]
    event = data.draw(anybody(customers))
    feature = data.draw(st.sampled_from([*TELCO.fields]))
    known = data.draw(
        st.sets(st.sampled_from([*TELCO.fields])).map(lambda names: names - {feature})
    )

    def population(names: set[str]) -> list[CustomerEvent]:
        values = {name: getattr(event, name) for name in names}
        return [replace(other, **values) for other in others]

    expected = log_odds(TELCO, model.formula, population(known) + population(known | {feature}))
    moved = expected[len(others) :].mean() - expected[: len(others)].mean()
    effect = explainer_of(centred_on(others, model)).effects([event])[feature][0]
    assert moved == pytest.approx(effect, rel=0, abs=1e-9)


def strongest(explainer: Explainer, event: CustomerEvent, sign: int) -> list[tuple[str, float]]:
    """The three strongest effects in one direction, found the slow way."""
    effects = {name: float(effect[0]) for name, effect in explainer.effects([event]).items()}
    ranked = sorted(effects.items(), key=lambda pair: -sign * pair[1])[:3]
    return [(name, round(effect, 4)) for name, effect in ranked]


def test_yes_is_explained_by_what_raises_the_risk_and_no_by_what_lowers_it(
    either: Model, customers: list[CustomerEvent]
) -> None:
    """Three reasons for each prediction, strongest first, from all features."""
    some = customers[::50]
    scores, explainer = either.score(some), explainer_of(either)
    given = either.reasons(some, scores, "all")

    for event, score, reasons in zip(some, scores, given, strict=True):
        assert reasons is not None
        expected = strongest(explainer, event, 1 if score >= 0.3 else -1)
        assert [effect for _, effect in expected] == [reason.effect for reason in reasons]
        assert {name for name, _ in expected} == {reason.feature for reason in reasons}


@pytest.mark.parametrize("explained", ["all", "top", "none"])
def test_who_gets_reasons(
    model: Model, customers: list[CustomerEvent], explained: Explained
) -> None:
    """Everybody, those at or above the threshold, or nobody."""
    scores = model.score(customers)
    wanted = {"all": scores >= 0, "top": scores >= 0.3, "none": scores < 0}[explained]

    reasons = model.reasons(customers, scores, explained)

    assert [given is not None for given in reasons] == wanted.tolist()


def test_the_threshold_itself_is_explained(model: Model, customers: list[CustomerEvent]) -> None:
    """A probability equal to the threshold is a "Yes" and has its reasons."""
    (reasons,) = model.reasons(customers[:1], np.array([0.3]), "top")

    assert reasons is not None


def test_a_batch_has_the_reasons_of_its_events(
    either: Model, customers: list[CustomerEvent]
) -> None:
    """The boundaries of batches change no reason; an empty batch has none."""
    some = customers[::70]
    scores = either.score(some)

    alone = [either.reasons([e], s[None], "all")[0] for e, s in zip(some, scores, strict=True)]
    assert either.reasons(some, scores, "all") == alone
    assert either.reasons([], np.empty(0), "all") == []


def test_reasons_in_words(model: Model, customers: list[CustomerEvent]) -> None:
    """A new customer on a monthly contract reads why, in a sentence each."""
    event = next(event for event in customers if event.customerID == "5305-NLSSU")

    (reasons,) = model.reasons([event], np.array([0.7]), "top")

    assert reasons is not None
    assert [(reason.feature, reason.value, reason.text) for reason in reasons] == [
        ("tenure", "1", "A tenure of 1 month raises the risk"),
        ("TotalCharges", "29.85", "A total of 29.85 charged so far raises the risk"),
        ("Contract", "Month-to-month", "Month-to-month contract raises the risk"),
    ]


def test_every_known_value_has_words(explainer: Explainer, customers: list[CustomerEvent]) -> None:
    """No phrase is left to chance: each names the feature's value in English, in one line."""
    for sign in (1, -1):
        texts = [reason.text for reason in every_reason(customers, sign)]
        assert len(texts) == len(set(texts))
        for text in texts:
            assert text.endswith(" raises the risk" if sign > 0 else " lowers the risk")
            assert not re.search("[a-z][A-Z]", text), "a column's name"


def every_reason(customers: list[CustomerEvent], sign: int) -> list[ReasonGiven]:
    """A reason of each known value of each category."""
    return [
        reason_for(name, plain(value) or "", 0.5 * sign)
        for name in TELCO.categorical
        for value in known_values(TELCO.fields[name])
    ]


def test_unknown_values_have_words_too(customers: list[CustomerEvent]) -> None:
    """A category that only somebody else's data has is named as it stands."""
    assert reason_for("Contract", "Weekly", 0.1).text == "Weekly contract raises the risk"
    assert reason_for("Partner", "Maybe", -0.1).text == "Partner Maybe lowers the risk"
    assert reason_for("tenure", "0", 0.1).text == "Being a new customer raises the risk"


def test_absurd_amounts_stay_readable(model: Model, customers: list[CustomerEvent]) -> None:
    """The largest numbers that an event can hold are written in a few characters."""
    event = replace(customers[0], tenure=2**63 - 1, MonthlyCharges=sys.float_info.max)

    for reasons in model.reasons([event] * 2, np.array([0.1, 0.9]), "all"):
        assert reasons is not None
        assert all(len(reason.text) < 80 for reason in reasons)


def test_other_pipelines_have_no_reasons(customers: list[CustomerEvent], tmp_path: Path) -> None:
    """For a model that is no sum of terms none are made up."""
    some = customers[:500]
    save(adopted(some), tmp_path)
    model = load(tmp_path)

    assert model.explainer is None
    assert model.reasons(some[:2], np.array([0.1, 0.9]), "all") == [None, None]


@pytest.fixture(scope="module")
def known(model: Model, customers: list[CustomerEvent]) -> Background:
    """All bundled customers in figures."""
    return background(TELCO, customers, model.score(customers))


def test_the_background_survives_the_manifest(known: Background) -> None:
    """Written as JSON and read again, it is the same to the last digit."""
    assert msgspec.json.decode(msgspec.json.encode(known), type=Background) == known


def test_the_background_counts_its_own_customers_as_they_are(
    known: Background, model: Model, customers: list[CustomerEvent]
) -> None:
    """The training customers fall into the bins in the numbers that are stored."""
    counted = known.count(TELCO, customers, model.score(customers))

    assert known.rows == len(customers)
    assert counted == {name: bins.counts for name, bins in known.bins.items()}
    assert set(counted) == {*TELCO.fields, SCORE}


def test_ranges_hold_a_tenth_each(known: Background, customers: list[CustomerEvent]) -> None:
    """Amounts are cut at their deciles, the upper edge included."""
    bins = known.bins["MonthlyCharges"]

    assert bins.edges is not None
    assert len(bins.edges) == 9
    assert all(0.09 < count / len(customers) < 0.11 for count in bins.counts.values())
    low = bins.edges[0]
    assert bins.counts[f"to {low:g}"] == sum(e.MonthlyCharges <= low for e in customers)


def test_one_value_alone_has_bins(customers: list[CustomerEvent]) -> None:
    """Where all training customers have one amount, others can still fall beside it."""
    same = [replace(event, tenure=5) for event in customers[:20]]
    known = background(TELCO, same, np.full(20, 0.5))

    counted = known.count(TELCO, [replace(same[0], tenure=9)], np.array([0.2]))

    assert known.bins["tenure"].counts == {"to 5": 20, "over 5": 0}
    assert counted["tenure"] == {"to 5": 0, "over 5": 1}
    assert counted[SCORE] == {"to 0.5": 1, "over 0.5": 0}


def test_what_an_open_category_holds_is_counted_together(customers: list[CustomerEvent]) -> None:
    """However many texts come that training did not know, drift counts them in one bin."""
    contract = msgspec.structs.replace(TELCO.fields["Contract"], unknown="other")
    schema = msgspec.structs.replace(TELCO, fields=TELCO.fields | {"Contract": contract})
    known = background(schema, customers[:20], np.full(20, 0.5))
    odd = [replace(customers[0], Contract=f"Contract {n}") for n in range(300)]

    assert known.count(schema, odd, np.full(300, 0.2))["Contract"] == {"other": 300}
    assert len(known.count(TELCO, odd, np.full(300, 0.2))["Contract"]) == 300


def test_what_is_remembered_of_reasons_is_bounded(customers: list[CustomerEvent]) -> None:
    """Neither many values nor long ones stay in memory, and all of them have their reasons."""
    contract = msgspec.structs.replace(TELCO.fields["Contract"], values=None, unknown="other")
    schema = msgspec.structs.replace(TELCO, fields=TELCO.fields | {"Contract": contract})
    writer = ReasonsWriter(schema)

    def given(texts: list[str]) -> list[str]:
        events = [replace(customers[0], Contract=text) for text in texts]
        zeros = dict.fromkeys(schema.fields, np.zeros(len(events)))
        effects = zeros | {"Contract": np.ones(len(events))}
        found = writer.of_wanted(
            events, lambda _: effects, np.ones(len(events), dtype=np.bool_), "all"
        )
        return [reasons[0].value for reasons in found if reasons]

    short = [f"Contract {n}" for n in range(300)]
    long = [f"{n} {'x' * 100_000}" for n in range(300)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reasons_module, "_MAX_KEPT", 100)
        assert given(short) == short
        assert given(short[:50]) == short[:50]
    tracemalloc.start()
    try:
        assert given(long) == long
        assert given(short[:60] + long[:1]) == short[:60] + long[:1]
        del long
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000

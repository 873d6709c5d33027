"""What a threshold is worth: four customers by hand, and brute force over all thresholds."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churnstream.model.profit import (
    NOBODY,
    Offer,
    Point,
    best_profit_threshold,
    curve,
    decide,
    gains,
    point,
    with_cost,
)
from churnstream.model.quality import Array, Labels, Predictions

# Each offer keeps half of the churners, for 4 months each: 2 months of charges from a churner.
#   leaves    charges   p     brought in   gained at a cost of 15
#   yes       10        0.9   20             5
#   no        20        0.7    0           -15
#   yes       40        0.5   80            65
#   no        80        0.3    0           -15
FOUR = Predictions(
    np.array([1, 0, 1, 0]), np.array([10.0, 20.0, 40.0, 80.0]), np.array([0.9, 0.7, 0.5, 0.3])
)
OFFER = Offer(cost=15.0, success_rate=0.5, months_kept=4.0)
GAINED = np.array([5.0, -15.0, 65.0, -15.0])


# ---- four customers by hand ----


def test_an_offer_gains_months_of_a_churners_charges_less_its_cost() -> None:
    """From whom would have stayed it brings in nothing, and costs the same."""
    assert gains(OFFER, FOUR).tolist() == [5.0, -15.0, 65.0, -15.0]


def test_a_free_offer_gains_what_it_brings_in() -> None:
    """Without a cost nothing is taken off, given as 0 or not at all."""
    for cost in (0.0, None):
        free = Offer(cost=cost, success_rate=0.5, months_kept=4.0)
        assert gains(free, FOUR).tolist() == [20.0, 0.0, 80.0, 0.0]


def test_the_default_offer_keeps_three_in_ten_for_a_year() -> None:
    """3.6 months of charges from each churner, cost-neutral."""
    assert Offer() == Offer(cost=None, success_rate=0.3, months_kept=12.0)
    assert gains(Offer(), FOUR) == pytest.approx([36.0, 0.0, 144.0, 0.0])


def test_a_cost_neutral_offer_costs_what_offers_to_all_would_bring_in() -> None:
    """A quarter of 100 from four customers: offers to everybody then earn nothing."""
    priced = with_cost(Offer(None, 0.5, 4.0), FOUR)

    assert priced == Offer(25.0, 0.5, 4.0)
    assert point(0.0, gains(priced, FOUR), FOUR.probabilities).profit == 0.0


def test_a_cost_that_is_given_stays() -> None:
    """Also a cost of nothing."""
    assert with_cost(OFFER, FOUR) == OFFER
    assert with_cost(Offer(cost=0.0), FOUR) == Offer(cost=0.0)


@pytest.mark.parametrize(
    ("threshold", "offered", "profit"),
    [
        (0.0, 1.0, 10.0),  # 5 - 15 + 65 - 15 = 40, of four customers
        (0.3, 1.0, 10.0),
        (0.31, 0.75, 13.75),
        (0.5, 0.75, 13.75),
        (0.7, 0.5, -2.5),
        (0.9, 0.25, 1.25),
        (0.91, 0.0, 0.0),
        (NOBODY, 0.0, 0.0),
    ],
)
def test_who_is_at_the_threshold_or_above_gets_an_offer(
    threshold: float, offered: float, profit: float
) -> None:
    """Share and profit are of all customers, offered or not."""
    assert point(threshold, GAINED, FOUR.probabilities) == Point(threshold, offered, profit)


def test_the_best_threshold_takes_a_loss_for_a_larger_gain() -> None:
    """At 0.5 the one who stays costs 15, and the churner behind brings 65."""
    assert best_profit_threshold(GAINED, FOUR.probabilities) == 0.5


def test_the_order_of_customers_is_irrelevant() -> None:
    """They are ranked by probability alone."""
    for order in ([3, 2, 1, 0], [1, 3, 0, 2]):
        assert best_profit_threshold(GAINED[order], FOUR.probabilities[order]) == 0.5


@pytest.mark.parametrize("charge", [1.0, 7.5, 0.0])
@pytest.mark.parametrize("label", [0, 1])
def test_a_single_customer(label: int, charge: float) -> None:
    """An offer is worth making where it gains anything at all."""
    one = Predictions(np.array([label]), np.array([charge]), np.array([0.4]))
    gained = gains(Offer(1.0, 0.5, 4.0), one)

    assert best_profit_threshold(gained, one.probabilities) == (
        0.4 if label and charge > 0.5 else NOBODY
    )


def test_an_offer_that_gains_nothing_is_not_made() -> None:
    """A profit of 0 is none; the smallest one above is one."""
    assert best_profit_threshold(np.array([0.0]), np.array([0.4])) == NOBODY
    assert best_profit_threshold(np.array([5e-324]), np.array([0.4])) == 0.4


def test_where_nobody_leaves_nobody_gets_an_offer() -> None:
    """Nor where all charges are 0, or offers keep nobody."""
    stay = Predictions(np.zeros(4, np.int64), FOUR.worth, FOUR.probabilities)
    nothing = Predictions(FOUR.labels, np.zeros(4), FOUR.probabilities)

    assert best_profit_threshold(gains(OFFER, stay), stay.probabilities) == NOBODY
    assert best_profit_threshold(gains(OFFER, nothing), nothing.probabilities) == NOBODY
    assert best_profit_threshold(gains(Offer(15.0, 0.0, 4.0), FOUR), FOUR.probabilities) == NOBODY
    assert with_cost(Offer(), stay).cost == 0.0


def test_where_all_leave_all_get_an_offer_that_is_worth_it() -> None:
    """The lowest probability is the threshold."""
    leave = Predictions(np.ones(4, np.int64), FOUR.worth, FOUR.probabilities)

    assert best_profit_threshold(gains(OFFER, leave), leave.probabilities) == 0.3


def test_customers_of_equal_probability_get_an_offer_together() -> None:
    """The one who would gain cannot be had without the one who costs as much."""
    alike = np.array([0.5, 0.5, 0.2])

    assert best_profit_threshold(np.array([10.0, -10.0, -1.0]), alike) == NOBODY
    assert best_profit_threshold(np.array([10.0, -9.0, -1.0]), alike) == 0.5
    assert best_profit_threshold(np.array([10.0, -9.0, 1.0]), alike) == 0.2


def test_of_equal_profits_fewer_offers_are_better() -> None:
    """The highest of the best thresholds is taken."""
    assert best_profit_threshold(np.array([7.0, 0.0, -2.0, 2.0]), FOUR.probabilities) == 0.9


def test_nobody_is_above_every_probability() -> None:
    """The next number after 1."""
    assert NOBODY > 1.0
    assert math.nextafter(NOBODY, 0.0) == 1.0
    certain = np.array([1.0])
    assert point(NOBODY, np.array([3.0]), certain) == Point(NOBODY, 0.0, 0.0)


def test_the_curve_has_every_hundredth() -> None:
    """From offers to all to offers to those who are certain to leave."""
    points = curve(GAINED, FOUR.probabilities)

    assert [p.threshold for p in points] == pytest.approx([n / 100 for n in range(101)])
    assert points[0] == Point(0.0, 1.0, 10.0)
    assert points[40] == Point(points[40].threshold, 0.75, 13.75)
    assert points[60] == Point(points[60].threshold, 0.5, -2.5)
    assert points[80] == Point(points[80].threshold, 0.25, 1.25)
    assert points[100] == Point(1.0, 0.0, 0.0)


# ---- the decision ----

# Others than those that the threshold is chosen on: 3 of 4 at or above 0.5, one of whom leaves.
TEST = Predictions(
    np.array([0, 0, 1, 1]), np.array([30.0, 30.0, 30.0, 60.0]), np.array([0.8, 0.6, 0.55, 0.1])
)


def test_a_decision_is_made_on_one_part_and_measured_on_both() -> None:
    """The test part has no say in threshold or cost."""
    threshold, decision = decide("profit", OFFER, FOUR, TEST)

    assert threshold == 0.5
    assert (decision.rule, decision.cost_neutral, decision.offer) == ("profit", False, OFFER)
    assert decision.out_of_fold == Point(0.5, 0.75, 13.75)
    assert decision.test == Point(0.5, 0.75, (-15.0 - 15.0 + 45.0) / 4)
    assert decision.curve == curve(GAINED, FOUR.probabilities)


def test_a_cost_neutral_decision_takes_its_cost_from_where_it_is_made() -> None:
    """25 from the four out of fold; on the test part it would be 45."""
    threshold, decision = decide("profit", Offer(None, 0.5, 4.0), FOUR, TEST)

    assert decision.cost_neutral
    assert decision.offer == Offer(25.0, 0.5, 4.0)
    assert threshold == 0.5  # -5 at 0.9, -30 at 0.7, 25 at 0.5, 0 at 0.3
    assert decision.out_of_fold == Point(0.5, 0.75, 6.25)
    assert decision.test == Point(0.5, 0.75, (-25.0 - 25.0 + 35.0) / 4)


def test_a_threshold_may_be_given() -> None:
    """It is taken as it is, and measured like another."""
    threshold, decision = decide(0.7, OFFER, FOUR, TEST)

    assert (threshold, decision.rule) == (0.7, "fixed")
    assert decision.out_of_fold == Point(0.7, 0.5, -2.5)
    assert decision.test == Point(0.7, 0.25, -3.75)


def test_a_threshold_may_maximise_f1_instead() -> None:
    """At 0.5 two of three called churners are, and none is missed; profit would say 0.9."""
    cheap = Predictions(FOUR.labels, np.array([10.0, 20.0, 8.0, 80.0]), FOUR.probabilities)

    assert decide("f1", OFFER, cheap, TEST)[0] == 0.5
    assert decide("f1", OFFER, cheap, TEST)[1].rule == "f1"
    assert decide("profit", OFFER, cheap, TEST)[0] == 0.9


def test_what_was_decided_stays() -> None:
    """Offer, points and decision go into the manifest as they were found."""
    decision = decide("profit", OFFER, FOUR, TEST)[1]

    for made, name in ((decision, "rule"), (decision.offer, "cost"), (decision.test, "profit")):
        with pytest.raises(AttributeError):
            setattr(made, name, None)


# ---- brute force ----

MONEY = st.integers(-50, 50).map(float)
SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])


@given(st.lists(st.tuples(MONEY, SHARES), min_size=1, max_size=8))
@example([(0.0, 0.5)])
@example([(1.0, 1.0), (-1.0, 0.0)])
def test_no_threshold_has_a_higher_profit(customers: list[tuple[float, float]]) -> None:
    """Of all thresholds that matter, none brings more, nor as much with fewer offers."""
    gained, probabilities = (np.array(column) for column in zip(*customers, strict=True))
    candidates = [*sorted({p for _, p in customers}), NOBODY]
    worth = {t: sum(g for g, p in customers if p >= t) for t in candidates}

    best = best_profit_threshold(gained, probabilities)

    assert best == max(t for t in candidates if worth[t] == max(worth.values()))
    for threshold in candidates:
        found = point(threshold, gained, probabilities)
        assert found.profit * len(customers) == pytest.approx(worth[threshold])
        offers = sum(p >= threshold for _, p in customers)
        assert found.offered * len(customers) == pytest.approx(offers)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 200), SHARES), min_size=1, max_size=8),
    st.none() | st.integers(0, 300),
    st.integers(0, 10),
    st.integers(0, 24),
)
@example([(1, 10, 0.5)], 0, 5, 4)
def test_gains_are_those_of_exact_arithmetic(
    customers: list[tuple[int, int, float]], cost: int | None, tenths: int, months: int
) -> None:
    """Success and months scale what comes in, and nothing else does."""
    labels, charges, probabilities = _columns(customers)
    offer = Offer(None if cost is None else float(cost), tenths / 10, float(months))
    brought = [Fraction(label * tenths * months * charge, 10) for label, charge, _ in customers]
    mean = sum(brought) / len(brought) if cost is None else Fraction(cost)

    priced = with_cost(offer, Predictions(labels, charges, probabilities))
    gained = gains(priced, Predictions(labels, charges, probabilities))

    assert priced.cost == pytest.approx(float(mean))
    assert gained == pytest.approx([float(one - mean) for one in brought], abs=1e-9)


def _columns(customers: list[tuple[int, int, float]]) -> tuple[Labels, Array, Array]:
    labels, charges, probabilities = zip(*customers, strict=True)
    return np.array(labels), np.array(charges, float), np.array(probabilities)

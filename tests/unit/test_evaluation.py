"""The join of predictions with labels that come late."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from builders import TELCO, CustomerEvent, decode_event, event_json
from churnstream.analysis import evaluation
from churnstream.analysis.evaluation import (
    Evaluation,
    Evaluator,
    Every,
    LabelledPredictions,
    Quality,
    start_of,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def event(name: str = "A", label: str | None = None, **changes: Any) -> CustomerEvent:
    """A customer's event, with or without a label."""
    labelled = {"Churn": label} if label else {}
    value = event_json(customerID=name, event_ts=NOON.isoformat(), **changes, **labelled)
    decoded = decode_event(value, name.encode())
    assert isinstance(decoded, CustomerEvent)
    return decoded


def measure(labelled: LabelledPredictions) -> Quality:
    """The squared distance as Brier score, and the charges of those called as profit."""
    if not len(labelled.labels):
        return Quality(profit=0)
    brier = float(np.mean((labelled.labels - labelled.probabilities) ** 2))
    return Quality(brier=brier, profit=float(labelled.worth[labelled.says_yes].sum()))


def evaluated(
    events: Sequence[CustomerEvent],
    probabilities: Sequence[float] | None = None,
    counts: Sequence[bool] | None = None,
    every: Every = "day",
) -> Evaluation:
    """The evaluation of events, one to a batch, that says "Yes" from 0.5 on."""
    evaluator = Evaluator(TELCO, every)
    for number, one in enumerate(events):
        score = np.array([probabilities[number] if probabilities else 0.5])
        evaluator.add([one], score, score >= 0.5, [counts[number] if counts else True])
    return evaluator.build(measure)


def test_the_first_label_behind_a_prediction_evaluates_it() -> None:
    """Of two labels that come later, the first counts; both evaluate what lies before them."""
    found = evaluated([event(), event(label="Yes"), event(label="No")], [0.9, 0.8, 0.7])

    later, same = found.by_source["later event"], found.by_source["same event"]
    assert (later.judged, later.churned) == (1, 1)
    assert later.brier == pytest.approx(0.1**2)
    assert (same.judged, same.churned) == (2, 1)
    assert same.brier == pytest.approx((0.2**2 + 0.7**2) / 2)
    assert (found.total.predictions, found.total.judged, found.total.churned) == (3, 3, 2)


def test_a_label_evaluates_all_predictions_that_wait_for_it() -> None:
    """Every prediction of a customer since the last label gets the next one."""
    found = evaluated([event(), event(), event(label="Yes")])

    assert found.by_source["later event"].judged == 2


def test_a_label_is_its_customers_own() -> None:
    """Another customer's label says nothing."""
    found = evaluated([event("A"), event("B", label="Yes")])

    assert (found.total.predictions, found.total.judged) == (2, 1)
    assert found.by_source["later event"].judged == 0


def test_a_label_before_a_prediction_does_not_evaluate_it() -> None:
    """What was known before says nothing about what came after."""
    assert evaluated([event(label="No"), event()]).total.judged == 1


def test_behind_the_window_only_labels_count() -> None:
    """An event outside the window settles predictions inside, and its own are left out."""
    found = evaluated([event(), event(label="Yes"), event()], counts=[True, False, False])

    assert (found.total.predictions, found.total.judged) == (1, 1)
    assert found.by_source["same event"].judged == 0


def test_profit_takes_decision_and_charges() -> None:
    """Whoever measures sees what was decided, and what each customer pays."""
    events = [event(n, "Yes", MonthlyCharges=m) for n, m in (("A", 10.0), ("B", 100.0))]

    found = evaluated(events, [0.9, 0.1])

    assert (found.total.profit, found.total.said_yes) == (10, 1)


def test_periods_are_those_of_the_scored_event() -> None:
    """A prediction counts for the day of its event, whenever its label comes."""
    days = [NOON, NOON + timedelta(days=2), NOON + timedelta(days=9)]
    events = [replace(event(), event_ts=days[0]), replace(event(), event_ts=days[1])]
    events.append(replace(event(label="Yes"), event_ts=days[2]))

    found = evaluated(events)

    assert [period.start.date() for period in found.periods] == [day.date() for day in days]
    assert [(period.predictions, period.judged) for period in found.periods] == [(1, 1)] * 3


@pytest.mark.parametrize(
    ("every", "start"),
    [
        ("hour", datetime(2026, 3, 4, 12, tzinfo=UTC)),
        ("day", datetime(2026, 3, 4, tzinfo=UTC)),
        ("week", datetime(2026, 3, 2, tzinfo=UTC)),
        ("month", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_where_periods_begin(every: Every, start: datetime) -> None:
    """Hours and days as the clock in UTC has them, weeks on Monday, months on the first."""
    assert start_of(NOON + timedelta(minutes=59, seconds=59), every) == start


def test_a_customer_without_a_label_does_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of one customer only the newest predictions wait; those given up are counted."""
    monkeypatch.setattr(evaluation, "MAX_WAITING", 2)

    found = evaluated([event()] * 5 + [event(label="Yes")], [0.1, 0.1, 0.1, 0.9, 0.9, 0.9])

    assert (found.given_up, found.total.predictions, found.total.judged) == (3, 6, 3)
    assert found.by_source["later event"].brier == pytest.approx(0.1**2)


def test_nothing_at_all() -> None:
    """Without predictions there are no periods, and nothing is evaluated."""
    found = evaluated([])

    assert (found.periods, found.total.predictions, found.total.judged) == ([], 0, 0)


def test_of_too_many_periods_the_rest_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of every time there is make no table without an end, and count all the same."""
    monkeypatch.setattr(evaluation, "MAX_PERIODS", 3)
    days = [NOON + timedelta(days=number) for number in range(5)]
    found = evaluated([replace(event(label="Yes"), event_ts=day) for day in days])
    assert [period.start.date() for period in found.periods] == [day.date() for day in days[:3]]
    assert found.others is not None
    assert (found.others.predictions, found.total.predictions) == (2, 5)


def test_charges_of_any_size_have_a_finite_sum() -> None:
    """An amount is a number up to the largest there is."""
    found = evaluated([event(label="Yes", MonthlyCharges=1.7e308) for _ in range(3)])
    assert found.total.profit is not None
    assert np.isfinite(found.total.profit)

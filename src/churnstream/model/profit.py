"""What a threshold is worth: the profit of an offer to every customer at or above it.

An offer costs the same whoever gets it. It brings in nothing from a customer who would have stayed
and, with some success, months of revenue from one who would have left. So one is worth making when

    success_rate * months_kept * monthly value * p - cost > 0

on average over the customers to whom it is made [Verbeke et al. 2012, the profit of a retention
campaign, with the customer's own worth in place of an average lifetime value].
"""

import math
from typing import Annotated, Literal

import msgspec
import numpy as np

from churnstream.model.quality import Array, Figure, Predictions, Share, best_f1_threshold

Rule = Literal["profit", "f1"] | float

NOBODY = math.nextafter(1.0, 2.0)  # a threshold that no probability reaches
Threshold = Annotated[float, msgspec.Meta(ge=0, le=NOBODY)]
_GRID = np.linspace(0.0, 1.0, 101)


class Offer(msgspec.Struct, frozen=True):
    """What it takes to keep a customer, and what that brings in.

    Without a cost, decisions are cost-neutral: an offer costs what it would bring in on average
    if everybody got one. Offers to all, or to some at random, then earn nothing, and all profit
    comes from knowing whom to ask. Success and months scale both sides alike, so the threshold
    depends on neither: a default that rests on no invented price.

    Attributes:
        cost: Of one offer, in the currency of the customer's monthly value; None: cost-neutral.
        success_rate: Share of the churners whom the offer keeps.
        months_kept: Months of revenue that each of them brings.
    """

    cost: Annotated[float, msgspec.Meta(ge=0)] | None = None
    success_rate: Share = 0.3
    months_kept: Figure = 12.0


class Point(msgspec.Struct, frozen=True):
    """What comes of a threshold.

    Attributes:
        offered: Share of the customers who get an offer.
        profit: Per customer, whether offered or not.
    """

    threshold: Threshold
    offered: Share
    profit: float


class Decision(msgspec.Struct, frozen=True):
    """How the threshold was chosen, and what it is worth.

    Attributes:
        rule: What it maximises; "fixed" if it was given.
        cost_neutral: Whether the cost was derived from the data.
        offer: With the cost that was used.
        out_of_fold: At the threshold, on the predictions that it was chosen on.
        test: At the threshold, on the held-out part.
        curve: Out of fold, at 0.00, 0.01 … 1.00.
    """

    rule: Literal["profit", "f1", "fixed"]
    cost_neutral: bool
    offer: Offer
    out_of_fold: Point
    test: Point
    curve: Annotated[tuple[Point, ...], msgspec.Meta(max_length=1000)]


def decide(
    rule: Rule, offer: Offer, out_of_fold: Predictions, test: Predictions
) -> tuple[float, Decision]:
    """Choose the threshold on out-of-fold predictions, and say what it is worth on others.

    Args:
        rule: Maximise the profit or F1, or take this threshold as given.
    """
    priced = with_cost(offer, out_of_fold)
    gained = gains(priced, out_of_fold)
    if rule == "profit":
        threshold = best_profit_threshold(gained, out_of_fold.probabilities)
    elif rule == "f1":
        threshold = best_f1_threshold(out_of_fold.labels, out_of_fold.probabilities)
    else:
        threshold = float(rule)
    return threshold, Decision(
        rule=rule if isinstance(rule, str) else "fixed",
        cost_neutral=offer.cost is None,
        offer=priced,
        out_of_fold=point(threshold, gained, out_of_fold.probabilities),
        test=point(threshold, gains(priced, test), test.probabilities),
        curve=curve(gained, out_of_fold.probabilities),
    )


def with_cost(offer: Offer, customers: Predictions) -> Offer:
    """The offer with its cost; the cost-neutral one is the mean of what offers bring in."""
    if offer.cost is not None:
        return offer
    return msgspec.structs.replace(offer, cost=float(np.mean(_brought_in(offer, customers))))


def gains(offer: Offer, customers: Predictions) -> Array:
    """What an offer to each customer would have gained, (n,), in currency units.

        label * success_rate * months_kept * monthly value - cost

    Args:
        offer: With its cost.
        customers: Whose labels say who churned.
    """
    return _brought_in(offer, customers) - (offer.cost or 0.0)


def _brought_in(offer: Offer, customers: Predictions) -> Array:
    return customers.labels * (offer.success_rate * offer.months_kept) * customers.worth


def best_profit_threshold(gained: Array, probabilities: Array) -> float:
    """The threshold with the highest sum of gains of the customers at or above it.

    The highest such one if several, for fewer offers; `NOBODY` if no threshold has a profit.
    """
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order]
    # Customers of equal probability get an offer together or not at all.
    ends = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))
    profits = np.cumsum(gained[order])[ends]
    best = int(np.argmax(profits))
    return float(falling[ends[best]]) if profits[best] > 0 else NOBODY


def point(threshold: float, gained: Array, probabilities: Array) -> Point:
    """What a threshold would have brought."""
    offered = probabilities >= threshold
    profit = float(np.sum(gained[offered]) / len(gained))
    return Point(threshold=threshold, offered=float(np.mean(offered)), profit=profit)


def curve(gained: Array, probabilities: Array) -> tuple[Point, ...]:
    """What each hundredth would have brought as the threshold."""
    return tuple(point(float(threshold), gained, probabilities) for threshold in _GRID)

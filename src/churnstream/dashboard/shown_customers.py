"""Customers as the live page shows them: one, or many as a group."""

from typing import NamedTuple


class CustomerShown(NamedTuple):
    """One customer as the table shows it.

    Attributes:
        risk: Probability of churn.
        at_risk: Probability times the customer's worth; None while that is not known.
        numbers: By field; None where it is missing.
        texts: By field of a segment, its name; "" where it is not known.
        scored_at: Seconds since 1970.
    """

    name: str
    risk: float
    at_risk: float | None
    numbers: dict[str, float | None]
    texts: dict[str, str]
    leaving: bool
    scored_at: float
    reasons: list[str]


class CustomerGroup(NamedTuple):
    """Customers with something in common.

    Attributes:
        churn_rate: Share of them that is expected to leave, 0 to 1; None if nobody was scored.
        at_risk: Sum of probability times worth a month; without a worth, of the probabilities.
    """

    scored: int
    churn_rate: float | None
    at_risk: float

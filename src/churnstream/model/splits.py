"""Samples and folds that keep the share of churners, and each customer on one side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from churnstream.errors import ModelError
from churnstream.model.feature_table import Labels

Groups = NDArray[np.generic]
"""(n,) Whose row it is; equal ones are of one customer."""
Folds = Sequence[tuple[Labels, Labels]]
"""Of each fold the rows to fit on and the rows held out, rising."""


def sample(labels: Labels, groups: Groups | None, most: int, *, seed: int) -> Labels:
    """Rows of about as many customers as asked for, rising; of all where they are no more.

    Args:
        labels: (n,) 0 or 1.
        most: Customers of the sample; a customer has all of its rows in it or none.
    """
    customer, outcome = _customers(labels, groups)
    if len(outcome) <= most:
        return np.arange(len(labels))
    shuffled = np.random.default_rng(seed).permutation(len(outcome))
    taken = np.zeros(len(outcome), dtype=np.bool_)
    for label in (0, 1):
        own = shuffled[outcome[shuffled] == label]
        taken[own[: round(len(own) * most / len(outcome))]] = True
    return np.flatnonzero(taken[customer])


def folds(labels: Labels, groups: Groups | None, count: int, *, seed: int) -> Folds:
    """Shuffled folds of the customers.

    Raises:
        ModelError: A fold would be without customers of one of the two labels.
    """
    customer, outcome = _customers(labels, groups)
    churned = int(outcome.sum())
    if min(churned, len(outcome) - churned) < count:
        raise ModelError(
            f"cannot cross-validate: {churned} of {len(outcome)} customers churned; "
            f"needs at least {count} who did and {count} who did not"
        )
    split = StratifiedKFold(count, shuffle=True, random_state=seed).split(outcome, outcome)
    held_out = [np.isin(customer, held) for _, held in split]
    return [(np.flatnonzero(~held), np.flatnonzero(held)) for held in held_out]


def _customers(labels: Labels, groups: Groups | None) -> tuple[Labels, Labels]:
    """The customer of each row (n,), and whether any row of each customer says that it left."""
    if groups is None:
        return np.arange(len(labels)), labels
    known, customer = np.unique(groups, return_inverse=True)
    outcome = np.zeros(len(known), dtype=np.int64)
    np.maximum.at(outcome, customer, labels)
    return customer, outcome

"""How well columns tell those who left from the others, alone and together.

Rough and quick: what it is for is to find columns that know the answer, not to model. All figures
are out of fold, so that a column of many values gets no credit for naming rows.
"""

from collections.abc import Sequence

import numpy as np

from churnstream.schema.inference.columns import Codes, Column, Flags, Numbers

_FOLDS = 5
_BINS = 32  # of a number with more values than that
_PRIOR = 4.0  # rows that a rate starts with, at the rate of all
_RIDGE = 1e-3  # of the rows
_LEAST = 1e-6


def auc(scores: Numbers, positive: Flags) -> float:
    """The area under the ROC curve: how often a positive row is scored above another.

    Equal scores count half (Mann and Whitney's U). 0.5 where one of both kinds is missing.
    """
    _, codes, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    n, rows = int(positive.sum()), len(positive)
    if n in (0, rows):
        return 0.5
    wins = ranks[codes][positive].sum() - n * (n + 1) / 2
    return float(wins / (n * (rows - n)))


def out_of_fold(groups: Codes, positive: Flags) -> Numbers:
    """By row, the share of positive ones among the rows of its group in the other folds."""
    fold = np.random.default_rng(0).permutation(len(groups)) % _FOLDS
    n_groups = int(groups.max(initial=-1)) + 1
    cells, shape = groups * _FOLDS + fold, (n_groups, _FOLDS)
    all_rows = np.bincount(cells, minlength=n_groups * _FOLDS).reshape(shape)
    left = np.bincount(cells[positive], minlength=n_groups * _FOLDS).reshape(shape)
    others = all_rows.sum(1, keepdims=True) - all_rows
    left_others = left.sum(1, keepdims=True) - left
    rates = (left_others + _PRIOR * positive.mean()) / (others + _PRIOR)
    return np.asarray(rates[groups, fold], np.float64)


def groups_of(column: Column, order: Numbers | None) -> Codes:
    """By row, a value or a bin of values; missing ones are a group of their own.

    Args:
        order: By distinct value, what it is as a number, where that has a meaning.
    """
    if order is None or column.distinct <= _BINS:
        return column.codes + 1
    numbers = column.by_row(order)
    present = numbers[np.isfinite(numbers)]
    edges = np.unique(np.quantile(present, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers) + 1, 0)


def alone(column: Column, order: Numbers | None, positive: Flags) -> tuple[float, Numbers]:
    """The ROC AUC of one column by itself, and by row the rate that it lets expect."""
    rates = out_of_fold(groups_of(column, order), positive)
    found = auc(rates, positive)
    if order is not None:
        numbers = column.by_row(order)
        present = np.isfinite(numbers)
        ranked = auc(numbers[present], positive[present]) if present.all() else 0.5
        found = max(found, ranked, 1 - ranked)
    return found, rates


def together(rates: Sequence[Numbers], positive: Flags) -> float:
    """The ROC AUC of several columns together, from the rates that each lets expect.

    A ridge regression on their log-odds, out of fold.
    """
    if not rates:
        return 0.5
    clipped = np.clip(np.column_stack(rates), _LEAST, 1 - _LEAST)
    odds = np.log(clipped / (1 - clipped))
    x = np.column_stack([odds - odds.mean(0), np.ones(len(odds))])
    fold = np.random.default_rng(1).permutation(len(x)) % _FOLDS
    scores = np.empty(len(x))
    for k in range(_FOLDS):
        train = fold != k
        gram = x[train].T @ x[train] + _RIDGE * len(x) * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x[train].T @ positive[train])
        scores[~train] = x[~train] @ weights
    return auc(scores, positive)

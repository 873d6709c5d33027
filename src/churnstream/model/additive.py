"""A model that is a sum of one term per feature, as tables and curves.

The default pipeline adds up, in log-odds, one term for each category and one smooth curve for each
amount. Read out of the fitted pipeline, the same sum needs no frame, no one-hot columns and no
basis functions: a dictionary look-up for all categories together, and three cubic splines.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churnstream.messages import CustomerEvent
from churnstream.model.features import CATEGORICAL

Array = NDArray[np.float64]
T = TypeVar("T")

_FLAG = "SeniorCitizen"
_MOST_COMBINATIONS = 1 << 16


class Curve:
    """The term of an amount: a cubic spline of its logarithm, constant outside its range.

    Args:
        spline: The basis that scikit-learn fitted, for its knots and degree.
        weights: Of the basis functions in log-odds, one each.
    """

    def __init__(self, spline: BSpline, weights: Array) -> None:
        self._spline = BSpline(spline.t, weights, spline.k)
        self._low, self._high = spline.t[spline.k], spline.t[-spline.k - 1]

    @property
    def knots(self) -> Array:
        """Where its pieces meet, as logarithms of 1 + amount, both ends included."""
        inner: Array = np.unique(np.clip(self._spline.t, self._low, self._high))
        return inner

    def __call__(self, amounts: Array) -> Array:
        """Log-odds of amounts, both of shape (n,)."""
        inside = np.clip(np.log1p(amounts), self._low, self._high)
        terms: Array = self._spline(inside)
        return terms


class Combinations(dict[tuple[Any, ...], T]):
    """Something that follows from a combination of categories, made when one is first met.

    Customers share a few thousand combinations; the bound is for those who do not.
    """

    def __init__(self, make: Callable[[tuple[Any, ...]], T]) -> None:
        self._make = make

    def __missing__(self, combination: tuple[Any, ...]) -> T:
        if len(self) >= _MOST_COMBINATIONS:
            self.clear()
        self[combination] = made = self._make(combination)
        return made


class Additive:
    """Log-odds of churn as a base plus terms.

    Attributes:
        base: Log-odds where every term is 0.
        tables: By field, the term of each category.
        curves: By field, the term of an amount.
        combination: The categories of an event, in the order of `tables`.
    """

    def __init__(
        self, base: float, tables: Mapping[str, Mapping[Any, float]], curves: Mapping[str, Curve]
    ) -> None:
        self.base, self.tables, self.curves = base, tables, curves
        self.combination = attrgetter(*tables)
        self._sums = Combinations(self._sum)

    def score(self, events: Sequence[CustomerEvent]) -> Array:
        """Probabilities of churn, (n,)."""
        log_odds = np.array(list(map(self._sums.__getitem__, map(self.combination, events))))
        log_odds += self.base
        for name, curve in self.curves.items():
            log_odds += curve(amounts(events, name))
        probabilities: Array = expit(log_odds)
        return probabilities

    def terms(self, events: Sequence[CustomerEvent]) -> dict[str, Array]:
        """What each feature adds to the log-odds, (n,) each; with the base they are the sum."""
        categories = {
            name: np.array([table[category] for category in map(attrgetter(name), events)])
            for name, table in self.tables.items()
        }
        return categories | {n: curve(amounts(events, n)) for n, curve in self.curves.items()}

    def _sum(self, combination: tuple[Any, ...]) -> float:
        pairs = zip(self.tables.values(), combination, strict=True)
        return sum(table[category] for table, category in pairs)


def amounts(events: Sequence[CustomerEvent], name: str) -> Array:
    """A column of numbers, (n,); null is 0."""
    column = np.array(list(map(attrgetter(name), events)), dtype=np.float64)
    return np.nan_to_num(column, copy=False, posinf=np.inf)


def read_out(pipeline: Pipeline) -> Additive | None:
    """The pipeline as a sum of terms; None if it is not one that `train.splines` made."""
    if [type(step) for _, step in pipeline.steps] != [
        ColumnTransformer,
        StandardScaler,
        LogisticRegression,
    ]:
        return None
    columns, scaler, classifier = (step for _, step in pipeline.steps)
    parts = columns.named_transformers_
    if list(parts) != ["curves", "flag", "categories"]:
        return None
    weights = classifier.coef_[0] / scaler.scale_
    base = float(classifier.intercept_[0] - weights @ scaler.mean_)
    slices = columns.output_indices_
    curves = _curves(columns, weights[slices["curves"]])
    if curves is None:
        return None
    tables = _tables(parts["categories"].categories_, weights[slices["categories"]])
    return Additive(base, tables | {_FLAG: {0: 0.0, 1: float(weights[slices["flag"]][0])}}, curves)


def _tables(categories: Sequence[NDArray[Any]], weights: Array) -> dict[str, dict[Any, float]]:
    tables: dict[str, dict[Any, float]] = {}
    start = 0
    for name, values in zip(CATEGORICAL, categories, strict=True):
        terms = weights[start : start + len(values)].tolist()
        tables[name] = dict(zip(values.tolist(), terms, strict=True))
        start += len(values)
    return tables


def _curves(columns: ColumnTransformer, weights: Array) -> dict[str, Curve] | None:
    """A curve by column; None if a column was constant in training, and has no curve."""
    names = next(names for part, _, names in columns.transformers_ if part == "curves")
    splines = columns.named_transformers_["curves"].steps[-1][1].bsplines_
    if any(spline.t[spline.k] == spline.t[-spline.k - 1] for spline in splines):
        return None
    each = np.split(weights, len(splines))
    return {n: Curve(s, w) for n, s, w in zip(names, splines, each, strict=True)}

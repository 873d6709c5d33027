"""Fitting a sum of one term per field: smooth curves of the numbers, a term for each text.

An additive logistic regression, whose numbers are cubic splines of their logarithms. It has no
interactions, fits in well under a second, and on customers that need none it is the best there is.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline, PPoly
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import SplineTransformer, StandardScaler

from churnstream.model.binning import common_texts
from churnstream.model.centring import centred
from churnstream.model.feature_table import Array, FeatureTable, Labels, Texts
from churnstream.model.term_scorer import signed_log
from churnstream.model.terms import Curve, Field, Steps, Table, Terms

_KNOTS = 10
_PENALTY = 0.02  # C of the regression: small is smooth
_GAP = 1e-4  # between knots; a polynomial of a shorter piece has coefficients without bounds


def fit_sum(table: FeatureTable, labels: Labels) -> Terms:
    """The sum that explains these customers, centred on them.

    Args:
        labels: (n,) 1 for customers who churned, 0 for the others; both occur.
    """
    parts = {name: _Numbers.of(column) for name, column in table.numeric.items()}
    texts = {name: _Words(common_texts(column)) for name, column in table.categorical.items()}
    design = [parts[n].design(column) for n, column in table.numeric.items()]
    design += [texts[n].design(column) for n, column in table.categorical.items()]
    scaler = StandardScaler()
    # Scaled, so that the penalty bears on each term by its weight among the customers. Newton's
    # method reaches the optimum to many digits: the same figures on every machine.
    regression = LogisticRegression(C=_PENALTY, solver="newton-cholesky", tol=1e-8)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        # Where rounding leaves Newton's method nothing to gain, it resorts to another, and says so.
        regression.fit(scaler.fit_transform(np.hstack(design)), labels)
    weights = regression.coef_[0] / scaler.scale_
    base = float(regression.intercept_[0] - weights @ scaler.mean_)
    shares = np.split(scaler.mean_, np.cumsum([part.shape[1] for part in design])[:-1])
    own = np.split(weights, np.cumsum([part.shape[1] for part in design])[:-1])
    fields = dict(_read_out({**parts, **texts}, own, shares))
    return centred(Terms(base, fields), table)


def _read_out(
    parts: "Mapping[str, _Numbers | _Words]", weights: list[Array], shares: list[Array]
) -> Iterator[tuple[str, Field]]:
    for (name, part), own, share in zip(parts.items(), weights, shares, strict=True):
        yield name, part.term(own, share)


@dataclass(frozen=True)
class _Words:
    """One column of the design for each known text, one for the others, one for none."""

    known: list[str]

    def design(self, column: Texts) -> Array:
        """0 and 1, (n, known + 2)."""
        place = {text: n for n, text in enumerate(self.known)}
        places: dict[str | None, int] = dict.fromkeys([None], len(place) + 1)
        places.update(place)
        cells = [places.get(text, len(place)) for text in column.tolist()]
        return np.eye(len(place) + 2)[cells]

    def term(self, weights: Array, shares: Array) -> Table:
        """What was never seen gets the mean of what was."""
        terms = np.where(shares > 0, weights, weights @ shares).tolist()
        return Table(dict(zip(self.known, terms, strict=False)), terms[-2], terms[-1])


@dataclass(frozen=True)
class _Numbers:
    """Basis splines of the logarithm, and a column for none; without splines if all are equal."""

    basis: BSpline | None
    inside: tuple[float, float]

    @classmethod
    def of(cls, column: Array) -> "_Numbers":
        logs = signed_log(column[np.isfinite(column)])
        knots = _apart(np.quantile(logs, np.linspace(0, 1, _KNOTS))) if len(logs) else logs
        if len(knots) < 2:  # noqa: PLR2004 - a piece has two ends
            return cls(None, (0, 0))
        made = SplineTransformer(degree=3, knots=knots[:, None]).fit(logs[:, None])
        return cls(made.bsplines_[0], (float(knots[0]), float(knots[-1])))

    def design(self, column: Array) -> Array:
        """(n, splines + 1); a number outside counts as the nearest end."""
        missing = np.isnan(column)
        if self.basis is None:
            return missing[:, None].astype(np.float64)
        logs = np.clip(np.where(missing, 0, signed_log(column)), *self.inside)
        splines = self.basis(logs)
        splines[missing] = 0
        return np.column_stack([splines, missing])

    def term(self, weights: Array, shares: Array) -> Curve | Steps:
        """A curve; where no value was ever missing, its mean stands for one that is."""
        *own, absent = weights.tolist()
        missing = absent if shares[-1] > 0 else float(weights @ shares)
        if self.basis is None:
            return Steps((), (0.0,), missing)
        spline = PPoly.from_spline(BSpline(self.basis.t, np.array(own), self.basis.k))
        left, right = spline.x[:-1], spline.x[1:]
        within = (self.inside[0] <= left) & (right <= self.inside[1]) & (left < right)
        knots = (*left[within].tolist(), float(right[within][-1]))
        return Curve(knots, tuple(map(tuple, spline.c.T[within].tolist())), missing)


def _apart(rising: Array) -> Array:
    """Those of some knots that are at least `_GAP` from the one before."""
    kept: list[float] = []
    for knot in rising.tolist():
        if not kept or knot - kept[-1] >= _GAP:
            kept.append(knot)
    return np.array(kept)

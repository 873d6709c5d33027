"""Reading the terms of an additive model out of its fitted pipeline."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, PPoly
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churnstream.model.additive import Array, Pieces, Terms
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain


def read_out(pipeline: Pipeline, schema: Schema) -> Terms | None:
    """The pipeline as a sum of terms; None if it is not one that `train.splines` made."""
    if [type(step) for _, step in pipeline.steps] != [
        ColumnTransformer,
        StandardScaler,
        LogisticRegression,
    ]:
        return None
    columns, scaler, classifier = (step for _, step in pipeline.steps)
    parts = columns.named_transformers_
    if list(parts) != ["curves", "categories"]:
        return None
    weights = classifier.coef_[0] / scaler.scale_
    base = float(classifier.intercept_[0] - weights @ scaler.mean_)
    slices = columns.output_indices_
    curves = _curves(columns, weights[slices["curves"]])
    if curves is None:
        return None
    known = parts["categories"].categories_
    tables = _tables(schema.categorical, known, weights[slices["categories"]])
    return Terms(base, tables, curves)


def _tables(
    names: Sequence[str], categories: Sequence[NDArray[Any]], weights: Array
) -> dict[str, dict[str, float]]:
    tables: dict[str, dict[str, float]] = {}
    start = 0
    for name, values in zip(names, categories, strict=True):
        terms = weights[start : start + len(values)].tolist()
        tables[name] = dict(zip((plain(v) or "" for v in values.tolist()), terms, strict=True))
        start += len(values)
    return tables


def _curves(columns: ColumnTransformer, weights: Array) -> dict[str, Pieces] | None:
    """A curve by column; None if a column was constant in training, and has no curve."""
    names = next(names for part, _, names in columns.transformers_ if part == "curves")
    splines = columns.named_transformers_["curves"].steps[-1][1].bsplines_
    if any(spline.t[spline.k] == spline.t[-spline.k - 1] for spline in splines):
        return None
    each = np.split(weights, len(splines))
    return {n: _pieces(s, w) for n, s, w in zip(names, splines, each, strict=True)}


def _pieces(basis: BSpline, weights: Array) -> Pieces:
    """A sum of basis splines as the polynomials that it consists of, within its range."""
    spline = PPoly.from_spline(BSpline(basis.t, weights, basis.k))
    left, right = spline.x[:-1], spline.x[1:]
    inside = (basis.t[basis.k] <= left) & (right <= basis.t[-basis.k - 1]) & (left < right)
    knots = (*left[inside].tolist(), float(right[inside][-1]))
    return Pieces(knots, tuple(map(tuple, spline.c.T[inside].tolist())))

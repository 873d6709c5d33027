"""Hypothesis makes columns of customers, and labels that one of them tells."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from churnstream.model.feature_table import Array, FeatureTable, Labels


@st.composite
def tables(draw: st.DrawFn) -> tuple[FeatureTable, Labels]:
    """Customers of a random schema, with gaps, ties, constants, rare texts and long tails."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(60, 200))
    kinds = draw(st.lists(st.sampled_from(sorted(_NUMBERS)), min_size=1, max_size=4))
    numeric = {
        f"n{i}": _with_gaps(_NUMBERS[kind](random, rows), random) for i, kind in enumerate(kinds)
    }
    sizes = draw(st.lists(st.integers(1, 40), max_size=3))
    categorical = {f"c{i}": _texts(size, random, rows) for i, size in enumerate(sizes)}
    table = FeatureTable(numeric, categorical)
    risk = np.nan_to_num(numeric["n0"], nan=0.0)
    labels = (random.random(rows) < np.where(risk > np.median(risk), 0.7, 0.3)).astype(np.int64)
    labels[:2] = 0, 1
    return table, labels


_NUMBERS: dict[str, Callable[[np.random.Generator, int], NDArray[np.floating]]] = {
    "constant": lambda random, rows: np.full(rows, 3.0),
    "flag": lambda random, rows: random.integers(0, 2, rows).astype(float),
    "count": lambda random, rows: random.poisson(2, rows).astype(float),
    "tail": lambda random, rows: np.exp(random.normal(0, 4, rows)),
    "both signs": lambda random, rows: random.standard_t(1, rows) * 100,
    "far off": lambda random, rows: 1.7e9 + random.integers(0, 10**6, rows),
    "infinite": lambda random, rows: np.where(random.random(rows) < 0.1, np.inf, 1.0),
    "missing": lambda random, rows: np.full(rows, np.nan),
}


def _with_gaps(column: NDArray[np.floating], random: np.random.Generator) -> Array:
    return np.where(random.random(len(column)) < random.choice([0, 0.2]), np.nan, column)


def _texts(size: int, random: np.random.Generator, rows: int) -> NDArray[np.object_]:
    column = np.array([f"t{n}" for n in random.integers(0, size, rows)], dtype=object)
    column[random.random(rows) < random.choice([0, 0.2])] = None
    return column


def strange(table: FeatureTable) -> FeatureTable:
    """Values that training did not see."""
    values = np.array([np.nan, np.inf, -np.inf, -1e300, 0.0, 1e300])
    texts = np.array(["t0", "never seen", None, "", "t1", "t2"], dtype=object)
    return FeatureTable(
        dict.fromkeys(table.numeric, values), dict.fromkeys(table.categorical, texts)
    )

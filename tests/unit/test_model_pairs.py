"""Sums and sums with pairs: fitted to any columns, and read out exactly."""

from itertools import combinations, product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from churnstream.model.binning import common_texts, cuts
from churnstream.model.coded_fields import CodedFields
from churnstream.model.feature_table import Array, FeatureTable, Labels
from churnstream.model.fit_pairs import PairTrees, pairs_of
from churnstream.model.fit_sum import fit_sum
from churnstream.model.kinds import Detail
from churnstream.model.read_pairs import read_pairs
from churnstream.model.term_scorer import TermScorer
from churnstream.model.terms import Curve, Steps, Table, Terms
from made_tables import strange, tables

FEW = settings(max_examples=15, deadline=None)


@given(tables(), st.sampled_from(get_args(Detail)))
@FEW
def test_terms_read_out_of_pair_trees_are_the_trees(
    made: tuple[FeatureTable, Labels], detail: Detail
) -> None:
    """To 1e-9 in log-odds, for customers seen and unseen; shares and base add up to it."""
    table, labels = made
    seen = table.rows(np.arange(len(table) * 3 // 4))
    pairs = list(combinations(table.columns, 2))
    trees = PairTrees(seen, labels[: len(seen)], pairs=pairs, detail=detail, seed=1)
    trees.grow(20)
    terms = trees.terms()
    scorer = TermScorer(terms)
    for some in (table, strange(table)):
        log_odds = scorer.score(some.columns)
        assert log_odds == pytest.approx(trees.log_odds(some), abs=1e-9)
        shares = scorer.contributions(some.columns)
        assert terms.base + sum(shares.values()) == pytest.approx(log_odds, abs=1e-9)
    assert terms.base == pytest.approx(np.mean(trees.log_odds(seen)), abs=1e-9)
    assert terms.fit(table.numeric, table.categorical)


@given(tables())
@FEW
def test_a_sum_scores_whatever_comes_and_its_shares_add_up(
    made: tuple[FeatureTable, Labels],
) -> None:
    """To 1e-9, around the mean log-odds of its customers; the labels' mean is its mean risk."""
    table, labels = made
    terms = fit_sum(table, labels)
    scorer = TermScorer(terms)
    for some in (table, strange(table)):
        log_odds = scorer.score(some.columns)
        shares = scorer.contributions(some.columns)
        assert np.all(np.isfinite(log_odds))
        assert terms.base + sum(shares.values()) == pytest.approx(log_odds, abs=1e-9)
    log_odds = scorer.score(table.columns)
    assert np.mean(1 / (1 + np.exp(-log_odds))) == pytest.approx(np.mean(labels), abs=1e-6)
    assert terms.base == pytest.approx(np.mean(log_odds), abs=1e-9)
    assert terms.fit(table.numeric, table.categorical)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5), min_size=2, max_size=4))
@settings(deadline=None)
def test_any_sum_of_functions_of_two_fields_is_read_out(seed: int, sizes: list[int]) -> None:
    """Whatever function is asked: it need not be made of trees."""
    random = np.random.default_rng(seed)
    fields: dict[str, Steps | Table] = {
        f"f{n}": Steps(tuple(map(float, range(1, size))), (0.0,) * size, 0.0)
        for n, size in enumerate(sizes)
    }
    pairs = list(combinations(fields, 2))
    grids = {pair: random.normal(size=[fields[name].cells for name in pair]) for pair in pairs}

    def ask(rows: NDArray[np.intp]) -> Array:
        cells = dict(zip(fields, rows.T, strict=True))
        return np.asarray(sum(grid[cells[i], cells[j]] for (i, j), grid in grids.items()))

    everyone = np.array(list(product(*(range(size + 1) for size in sizes))))
    values = np.where(everyone == sizes, np.nan, everyone)
    table = FeatureTable(dict(zip(fields, values.T, strict=True)), {})
    terms = read_pairs(ask, fields, pairs, table)
    assert TermScorer(terms).score(table.columns) == pytest.approx(ask(everyone), abs=1e-9)
    for pair in terms.pairs:
        grid = np.array(pair.terms)[np.ix_(pair.rows, pair.columns)]
        assert np.allclose(grid.mean(axis=0), 0)
        assert np.allclose(grid.mean(axis=1), 0)


def test_cells_that_are_the_same_share_a_row_of_the_grid() -> None:
    """A pair that knows one cut has a grid of two by two, however many cells its fields have."""
    random = np.random.default_rng(0)
    table = FeatureTable({"x": random.random(500), "y": random.random(500)}, {})
    fields = CodedFields.of(table, 64).fields

    def ask(rows: NDArray[np.intp]) -> Array:
        return np.where((rows[:, 0] > 20) & (rows[:, 1] > 30), 1.0, 0.0)

    (pair,) = read_pairs(ask, fields, [("x", "y")], table).pairs
    assert np.shape(pair.terms) == (2, 2)
    assert (len(pair.rows), len(pair.columns)) == (65, 65)


def test_a_function_without_pairs_has_none() -> None:
    """Nothing is kept of pairs that say nothing."""
    table = FeatureTable({"x": np.arange(9.0), "y": np.arange(9.0)}, {})
    read = read_pairs(
        lambda rows: rows.sum(axis=1).astype(np.float64),
        CodedFields.of(table, 64).fields,
        [("x", "y")],
        table,
    )
    assert read.pairs == ()


def test_pairs_learn_what_a_sum_cannot() -> None:
    """Two fields that say something only together."""
    random = np.random.default_rng(3)
    x, y = random.random((2, 2000))
    labels = (random.random(2000) < np.where((x > 0.5) ^ (y > 0.5), 0.9, 0.1)).astype(np.int64)
    table = FeatureTable({"x": x, "y": y}, {})
    trees = PairTrees(table, labels, pairs=[("x", "y")], detail="smooth", seed=0)
    trees.grow(50)
    with_pairs = TermScorer(trees.terms()).score(table.columns)
    alone = TermScorer(fit_sum(table, labels)).score(table.columns)
    assert roc_auc_score(labels, alone) < 0.6
    assert roc_auc_score(labels, with_pairs) > 0.88


def test_trees_pair_no_fields_but_those_that_they_were_given() -> None:
    """The terms hold no other pair, and still are the trees."""
    random = np.random.default_rng(4)
    table = FeatureTable({name: random.random(500) for name in "wxyz"}, {})
    labels = (table.numeric["w"] * table.numeric["z"] > 0.2).astype(np.int64)
    trees = PairTrees(table, labels, pairs=[("w", "x"), ("y", "z")], detail="fine", seed=0)
    trees.grow(30)
    terms = trees.terms()
    assert {pair.fields for pair in terms.pairs} <= {("w", "x"), ("y", "z")}
    assert TermScorer(terms).score(table.columns) == pytest.approx(trees.log_odds(table), abs=1e-9)


def test_the_twenty_strongest_fields_are_paired() -> None:
    """A sum of many fields pairs those whose terms vary most, in the order of the fields."""
    table = FeatureTable({f"x{n}": np.array([0.0, 1.0]) for n in range(25)}, {})
    terms = Terms(0.0, {f"x{n}": Steps((0.5,), (0.0, float(n)), 0.0) for n in range(25)})
    found = pairs_of(terms, table)
    assert found == list(combinations([f"x{n}" for n in range(5, 25)], 2))


def test_rare_texts_count_as_other_ones() -> None:
    """Ten customers and one in 200 are enough for a term of one's own; the most come first."""
    column = np.array(["a"] * 30 + ["b"] * 40 + ["c"] * 9 + [None] * 50, dtype=object)
    assert common_texts(column) == ["b", "a"]
    assert common_texts(np.concatenate([column, np.array(["d"] * 7000, dtype=object)])) == [
        "d",
        "b",
    ]


def test_numbers_are_cut_between_their_values_or_at_quantiles() -> None:
    """Each value keeps a step of its own while there are few."""
    assert cuts(np.array([1.0, 2.0, 4.0, 4.0, np.nan, np.inf]), 5).tolist() == [1.5, 3.0]
    assert cuts(np.arange(101.0), 4).tolist() == [25.0, 50.0, 75.0]
    assert cuts(np.array([np.nan]), 4).tolist() == []
    close = np.array([1.0, np.nextafter(1.0, 2.0)])
    assert cuts(close, 4).tolist() == [close[1]]


def test_a_sum_has_terms_for_what_was_never_seen() -> None:
    """A missing or unknown value that training never met counts as the mean of those it did."""
    random = np.random.default_rng(5)
    x = random.random(400)
    plan = np.where(x > 0.4, "a", "b").astype(object)
    labels = (random.random(400) < x).astype(np.int64)
    terms = fit_sum(FeatureTable({"x": x, "none": np.full(400, np.nan)}, {"plan": plan}), labels)
    curve, table, empty = terms.fields["x"], terms.fields["plan"], terms.fields["none"]
    assert isinstance(curve, Curve)
    assert isinstance(table, Table)
    assert isinstance(empty, Steps)
    assert (curve.missing, table.missing, table.other) == pytest.approx((0, 0, 0), abs=1e-9)
    assert empty.missing == pytest.approx(0, abs=1e-9)

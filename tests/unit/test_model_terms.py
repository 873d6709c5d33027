"""The saved form of a sum of terms: what it refuses, and what it adds up to."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from churnstream.errors import ModelError
from churnstream.model.centring import centred, pure
from churnstream.model.feature_table import FeatureTable
from churnstream.model.term_scorer import TermScorer, probabilities, signed_log
from churnstream.model.terms import Curve, Field, Pair, Steps, Table, Terms

PLAN = Table({"a": 1.0, "b": 2.0}, other=3.0, missing=4.0)
AGE = Steps((10.0, 20.0), (0.1, 0.2, 0.3), missing=0.4)
SPENT = Curve((0.0, 1.0, 3.0), ((1.0, 0.0), (2.0, 1.0)), missing=-1.0)
BOTH = Pair(("plan", "age"), rows=(0, 1, 1, 0), columns=(0, 0, 1, 1), terms=((10, 20), (30, 40)))
TERMS = Terms(0.5, {"plan": PLAN, "age": AGE, "spent": SPENT}, (BOTH,))


def columns(plan: list[str | None], age: list[float], spent: list[float]) -> dict[str, Any]:
    """As a scorer takes them."""
    return {"plan": np.array(plan, dtype=object), "age": np.array(age), "spent": np.array(spent)}


def scored(name: str, field: Field, values: list[Any]) -> list[float]:
    """The term of each value of a field."""
    dtype = object if isinstance(field, Table) else np.float64
    found: list[float] = (
        TermScorer(Terms(0.0, {name: field})).score({name: np.array(values, dtype=dtype)}).tolist()
    )
    return found


def test_texts_without_a_term_of_their_own_have_that_of_the_others() -> None:
    """Known, unknown and missing texts have three kinds of terms."""
    assert scored("plan", PLAN, ["a", "b", "c", "", None]) == [1.0, 2.0, 3.0, 3.0, 4.0]


def test_steps_hold_from_their_cut_on_and_beyond_the_last_one() -> None:
    """A number at a cut belongs above it; nothing is extrapolated."""
    values = [-np.inf, 9.9, 10.0, 19.9, 20.0, 1e300, np.inf, np.nan]
    assert scored("age", AGE, values) == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.4]


def test_a_curve_is_a_polynomial_by_pieces_and_constant_outside() -> None:
    """Each piece counts from its left knot."""
    logs = [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 50.0]
    values = [*np.sign(logs) * np.expm1(np.abs(logs)), np.nan, np.inf, -np.inf]
    wanted = [0.0, 0.0, 0.5, 1.0, 3.0, 5.0, 5.0, -1.0, 5.0, 0.0]
    assert scored("spent", SPENT, values) == pytest.approx(wanted)


def test_a_pair_adds_the_grid_at_the_cells_of_its_fields() -> None:
    """Cells that share a row or a column of the grid share its terms."""
    found = TermScorer(TERMS).score(
        columns(["a", "b", None, "x"], [5, 15, np.nan, 25], [0, 0, 0, np.nan])
    )
    assert found == pytest.approx([0.5 + 1.1 + 10, 0.5 + 2.2 + 30, 0.5 + 4.4 + 20, 2.8 + 40])


def test_no_customers_have_no_log_odds() -> None:
    """An empty batch is no special case."""
    nobody = columns([], [], [])
    scorer = TermScorer(TERMS)
    assert scorer.score(nobody).shape == (0,)
    assert {len(share) for share in scorer.contributions(nobody).values()} == {0}


def test_a_pair_is_shared_half_and_half() -> None:
    """Contributions are in the order of the fields, and with the base they are the log-odds."""
    batch = columns(["b"], [15], [0])
    shares = TermScorer(TERMS).contributions(batch)
    assert {name: share.item() for name, share in shares.items()} == pytest.approx(
        {"plan": 2.0 + 15, "age": 0.2 + 15, "spent": 0.0}
    )


@pytest.mark.parametrize(
    ("numeric", "categorical", "fits"),
    [
        (["age", "spent"], ["plan"], True),
        (["age"], ["plan"], False),
        (["age", "spent", "plan"], [], False),
        (["age"], ["plan", "spent"], False),
        (["age", "spent", "more"], ["plan"], False),
    ],
)
def test_terms_fit_the_fields_that_they_are_of(
    numeric: list[str], categorical: list[str], fits: bool
) -> None:
    """Numbers have curves or steps, texts have tables."""
    assert TERMS.fit(numeric, categorical) is fits


@pytest.mark.parametrize(
    "field",
    [
        Steps((2.0, 1.0), (0.0, 0.0, 0.0), 0.0),
        Steps((1.0, 1.0), (0.0, 0.0, 0.0), 0.0),
        Steps((1.0, float("nan")), (0.0, 0.0, 0.0), 0.0),
        Steps((1.0,), (0.0,), 0.0),
        Curve((1.0, 0.0), ((1.0,),), 0.0),
        Curve((0.0, 1.0, 2.0), ((1.0,),), 0.0),
        Curve((0.0, 1.0, 2.0), ((1.0,), (1.0, 2.0)), 0.0),
    ],
)
def test_steps_and_curves_that_are_none_are_not_sound(field: Field) -> None:
    """Cuts and knots rise, and there is a term for each part."""
    assert not Terms(0.0, {"x": field}).is_sound


@pytest.mark.parametrize(
    "pairs",
    [
        (replace(BOTH, fields=("plan", "plan")),),
        (replace(BOTH, fields=("plan", "unknown")),),
        (replace(BOTH, fields=("plan", "spent")),),
        (replace(BOTH, rows=(0, 1, 1)),),
        (replace(BOTH, rows=(0, 1, 2, 0)),),
        (replace(BOTH, columns=(0, 1, 2, 0)),),
        (replace(BOTH, terms=((1, 2), (3,))),),
        (BOTH, BOTH),
        (BOTH, replace(BOTH, fields=("age", "plan"))),
    ],
)
def test_pairs_without_a_place_for_each_cell_are_not_sound(pairs: tuple[Pair, ...]) -> None:
    """A manifest from anywhere makes no look-up leave its grid."""
    assert not replace(TERMS, pairs=pairs).is_sound


def test_pairs_that_would_fill_the_memory_are_not_sound() -> None:
    """A few kilobytes of a manifest do not grow to gigabytes."""
    names = [f"x{n}" for n in range(8)]
    cuts = tuple(map(float, range(1000)))
    fields: dict[str, Field] = {n: Steps(cuts, (0.0,) * 1001, 0.0) for n in names}
    rows = (0,) * 1002
    pairs = tuple(Pair((names[0], n), rows, rows, ((0.0,),)) for n in names[1:])
    assert Terms(0.0, fields, pairs[:2]).is_sound
    assert not Terms(0.0, fields, pairs).is_sound


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("base",), 1e16),
        (("fields", "plan", "other"), None),
        (("fields", "plan", "type"), "forest"),
        (("fields", "spent", "knots"), [0, 1, 1000]),
        (("fields", "age", "cuts"), [0] * 1001),
        (("pairs", 0, "rows"), [-1, 0, 0, 0]),
        (("pairs", 0, "terms"), []),
    ],
)
def test_a_manifest_with_impossible_terms_is_refused(path: tuple[Any, ...], value: object) -> None:
    """Types and bounds are checked while the manifest is read."""
    held = msgspec.to_builtins(TERMS)
    *way, last = path
    place = held
    for key in way:
        place = place[key]
    place[last] = value
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(held, Terms, strict=True)


def test_terms_survive_being_written_to_the_last_digit() -> None:
    """What is saved is what was fitted."""
    assert msgspec.json.decode(msgspec.json.encode(TERMS), type=Terms) == TERMS


def test_a_table_has_columns_of_one_length() -> None:
    """Ragged or no columns are refused in words."""
    with pytest.raises(ModelError, match=r"columns of \[1, 2\] rows"):
        FeatureTable({"a": np.zeros(1), "b": np.zeros(2)}, {})
    with pytest.raises(ModelError, match="no columns"):
        FeatureTable({}, {})


def test_probabilities_of_any_log_odds_are_from_0_to_1() -> None:
    """Without a warning, too."""
    assert probabilities(np.array([-1e15, 0.0, 1e15])).tolist() == [0.0, 0.5, 1.0]


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=20))
def test_the_signed_logarithm_keeps_the_order(values: list[float]) -> None:
    """So quantiles of numbers are quantiles of their logarithms."""
    logs = signed_log(np.sort(np.array(values)))
    assert np.all(logs[:-1] <= logs[1:])


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_pure_grids_have_means_of_0_and_lose_nothing(seed: int, rows: int, columns: int) -> None:
    """Weighted by the shares of rows and columns; together the parts are the grid."""
    random = np.random.default_rng(seed)
    grid = random.normal(size=(rows, columns))
    by_row, by_column = random.dirichlet(np.ones(rows)), random.dirichlet(np.ones(columns))
    left, own, other, constant = pure(grid, by_row, by_column)
    assert np.allclose(left @ by_column, 0)
    assert np.allclose(by_row @ left, 0)
    assert np.allclose(left + own[:, None] + other[None, :] + constant, grid)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_centred_shares_are_effects(seed: int) -> None:
    """They are 0 in the mean over the customers, whose mean log-odds are the base."""
    table = customers(np.random.default_rng(seed))
    before, after = TermScorer(TERMS), TermScorer(centred(TERMS, table))
    shares = after.contributions(table.columns)
    log_odds = before.score(table.columns)
    assert all(abs(np.mean(share)) < 1e-9 for share in shares.values())
    assert after.terms.base == pytest.approx(np.mean(log_odds), abs=1e-9)
    assert after.score(table.columns) == pytest.approx(log_odds, abs=1e-9)
    assert after.terms.base + sum(shares.values()) == pytest.approx(log_odds, abs=1e-9)


def test_effects_are_shapley_values() -> None:
    """By their definition: over every order in which the fields could be replaced."""
    table = customers(np.random.default_rng(0))
    terms = centred(purified(TERMS, table), table)
    found = TermScorer(terms).contributions(table.columns)
    wanted = by_definition(terms, table, customer=3)
    assert {name: share[3] for name, share in found.items()} == pytest.approx(wanted, abs=1e-9)


def customers(random: np.random.Generator, rows: int = 40) -> FeatureTable:
    """Some whose fields hang together."""
    age = random.uniform(0, 30, rows)
    age[random.random(rows) < 0.2] = np.nan
    plan = np.where(age > 15, "a", random.choice(np.array(["a", "b", "c"]), rows)).astype(object)
    plan[random.random(rows) < 0.2] = None
    return FeatureTable({"age": age, "spent": random.exponential(5, rows)}, {"plan": plan})


def purified(terms: Terms, table: FeatureTable) -> Terms:
    """The same sum with a pure pair, as reading it out of trees leaves it."""
    cells = TermScorer(terms).cells(table.columns)
    (pair,) = terms.pairs
    grid = np.array(pair.terms)[np.ix_(pair.rows, pair.columns)]
    shares = [np.bincount(cells[n], minlength=4) / len(table) for n in pair.fields]
    left, rows, columns, constant = pure(grid, *shares)
    plan = (np.array([*PLAN.terms.values(), PLAN.other, PLAN.missing]) + rows).tolist()
    age = np.array([*AGE.terms, AGE.missing]) + columns
    fields: dict[str, Field] = {
        "plan": Table(dict(zip(PLAN.terms, plan, strict=False)), plan[2], plan[3]),
        "age": Steps(AGE.cuts, tuple(age[:3].tolist()), float(age[3])),
        "spent": SPENT,
    }
    whole = tuple(range(4))
    held = Pair(pair.fields, whole, whole, tuple(map(tuple, left.tolist())))
    return Terms(terms.base + constant, fields, (held,))


def by_definition(terms: Terms, table: FeatureTable, *, customer: int) -> Mapping[str, float]:
    """Interventional Shapley values of three fields, by all subsets of the others."""
    scorer, names = TermScorer(terms), ["plan", "age", "spent"]

    def worth(known: set[str]) -> float:
        mixed = {
            name: np.full_like(column, column[customer]) if name in known else column
            for name, column in table.columns.items()
        }
        return float(np.mean(scorer.score(mixed)))

    def value(name: str) -> float:
        one, other = (n for n in names if n != name)
        orders = [(set(), 1 / 3), ({one}, 1 / 6), ({other}, 1 / 6), ({one, other}, 1 / 3)]
        return sum(share * (worth({*before, name}) - worth(before)) for before, share in orders)

    return {name: value(name) for name in names}

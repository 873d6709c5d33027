"""Boosted trees: read out exactly, asked by NumPy, explained by the definition, and refused."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import combinations
from math import factorial
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnstream.model.feature_table import Array, FeatureTable, Labels
from churnstream.model.fit_trees import BoostedTrees
from churnstream.model.kinds import Detail
from churnstream.model.term_scorer import probabilities
from churnstream.model.tree_effects import TreeEffects
from churnstream.model.tree_scorer import TreeScorer
from churnstream.model.trees import DEPTH, Leaf, Node, NumberSplit, TextSplit, Tree, Trees
from formulas import goes_left, walked
from made_tables import strange, tables

FEW = settings(max_examples=15, deadline=None)
NUMBERS, TEXTS = ("x", "y"), {"plan": ("a", "b"), "city": ("Ulm",), "note": ()}


def fitted(table: FeatureTable, labels: Labels, detail: Detail) -> BoostedTrees:
    """Few trees of these customers."""
    trees = BoostedTrees(table, labels, detail=detail, seed=1)
    trees.grow(20)
    return trees


@given(tables(), st.sampled_from(get_args(Detail)))
@FEW
def test_nodes_read_out_of_scikit_learn_are_its_trees(
    made: tuple[FeatureTable, Labels], detail: Detail
) -> None:
    """To 1e-9 in log-odds, for customers seen and unseen; effects and base add up to it."""
    table, labels = made
    seen = table.rows(np.arange(len(table) * 3 // 4))
    boosted = fitted(seen, labels[: len(seen)], detail)
    trees = boosted.formula()
    scorer = TreeScorer(trees)
    effects = TreeEffects(scorer)
    for some in (table, strange(table)):
        log_odds = scorer.log_odds(some.columns)
        assert log_odds == pytest.approx(boosted.log_odds(some), abs=1e-9)
        assert log_odds == pytest.approx(walked(trees, some), abs=1e-9)
        found = effects.effects(some.columns)
        assert list(found) == list(some.columns)
        assert effects.base + sum(found.values()) == pytest.approx(log_odds, abs=1e-9)
    assert effects.base == pytest.approx(np.mean(boosted.log_odds(seen)), abs=1e-9)
    assert trees.fit(table.numeric, table.categorical)
    assert msgspec.json.decode(msgspec.json.encode(trees), type=Trees) == trees


def test_texts_and_numbers_that_only_some_have_are_learned() -> None:
    """Whether a text, or its absence, goes left is read from the bits of its split."""
    random = np.random.default_rng(5)
    column = random.choice(np.array([*"abcdefgh", None], dtype=object), 2000)
    numbers = np.where(random.random(2000) < 0.5, np.nan, 1.0)
    risk = np.where([text in ("a", "d", "g", None) for text in column], 0.7, 0.2) + 0.2 * np.isnan(
        numbers
    )
    table = FeatureTable({"x": numbers}, {"text": column})
    labels = (random.random(2000) < risk).astype(np.int64)
    boosted = fitted(table, labels, "fine")
    trees = boosted.formula()
    nodes = [node for tree in trees.trees for node in tree]
    assert any(isinstance(node, TextSplit) and len(node.cells) > 1 for node in nodes)
    assert any(isinstance(node, NumberSplit) and node.below is None for node in nodes)
    for some in (table, strange(table)):
        found = TreeScorer(trees).log_odds(some.columns)
        assert found == pytest.approx(boosted.log_odds(some), abs=1e-9)


def test_a_text_that_is_there_or_not_is_learned() -> None:
    """Where all have the same text or none, a split goes the way that it went in training."""
    random = np.random.default_rng(6)
    gone = random.random(1000) < 0.5
    table = FeatureTable({}, {"text": np.array([None if one else "same" for one in gone])})
    labels = (random.random(1000) < np.where(gone, 0.8, 0.2)).astype(np.int64)
    scorer = TreeScorer(fitted(table, labels, "fine").formula())
    log_odds = scorer.log_odds({"text": np.array(["same", None], dtype=object)})
    assert probabilities(log_odds) == pytest.approx([0.2, 0.8], abs=0.1)
    base = TreeEffects(scorer).base
    assert base == pytest.approx(np.mean(scorer.log_odds(table.columns)), abs=1e-9)


@st.composite
def forests(draw: st.DrawFn) -> Trees:
    """Sound trees that nobody fitted: of any fields, thresholds and shapes."""
    start = draw(st.floats(-3, 3))
    trees = draw(st.lists(nodes_below(DEPTH), min_size=1, max_size=3))
    return Trees(start, NUMBERS, TEXTS, tuple(map(tuple, trees)))


@st.composite
def nodes_below(draw: st.DrawFn, depth: int, place: int = 0) -> list[Node]:
    """The nodes of a tree, or of a part of one that begins at a place."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return [Leaf(draw(st.floats(-2, 2)), draw(st.integers(1, 50)))]
    left = draw(nodes_below(depth - 1, place + 1))
    right = draw(nodes_below(depth - 1, place + 1 + len(left)))
    rest = draw(st.booleans()), place + 1, place + 1 + len(left)
    name = draw(st.sampled_from([*NUMBERS, *TEXTS]))
    if name in NUMBERS:
        below = draw(st.sampled_from([-1.0, 0.0, 0.5, 2.0]) | st.none())
        return [NumberSplit(name, below, *rest), *left, *right]
    cells = draw(st.sets(st.integers(0, len(TEXTS[name]))))
    return [TextSplit(name, tuple(sorted(cells)), *rest), *left, *right]


def somebody(seed: int, rows: int = 6) -> FeatureTable:
    """Customers of any values, at the thresholds and beyond."""
    random = np.random.default_rng(seed)
    numbers = [-np.inf, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 1e300, np.inf, np.nan]
    texts = np.array(["a", "b", "Ulm", "", "never seen", None], dtype=object)
    return FeatureTable(
        {name: random.choice(numbers, rows) for name in NUMBERS},
        {name: random.choice(texts, rows) for name in TEXTS},
    )


@given(forests(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_any_trees_are_asked_all_at_once(trees: Trees, seed: int) -> None:
    """The words of all fields leave the leaf that walking from node to node leads to."""
    table = somebody(seed)
    assert trees.fit(NUMBERS, TEXTS)
    assert TreeScorer(trees).log_odds(table.columns) == pytest.approx(
        walked(trees, table), abs=1e-12
    )


@given(forests(), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_effects_are_shapley_values_by_definition(trees: Trees, seed: int) -> None:
    """What a field adds to what is expected, averaged over all orders; base is what is at first."""
    table = somebody(seed, rows=2)
    effects = TreeEffects(TreeScorer(trees))
    found = effects.effects(table.columns)
    for row in range(len(table)):
        one = table.rows(np.array([row]))
        wanted = shapley_values(partial(expected, trees, one), table.columns)
        for name, value in wanted.items():
            assert found[name][row] == pytest.approx(value, abs=1e-9)
    assert effects.base == pytest.approx(expected(trees, table, frozenset()), abs=1e-9)


def shapley_values(
    worth: Callable[[frozenset[str]], float], players: Iterable[str]
) -> Mapping[str, float]:
    """Of a game, as Shapley defined them."""
    names = [*players]
    found = dict.fromkeys(names, 0.0)
    for name in names:
        others = [other for other in names if other != name]
        for size in range(len(names)):
            weight = factorial(size) * factorial(len(names) - size - 1) / factorial(len(names))
            for some in map(frozenset, combinations(others, size)):
                found[name] += weight * (worth(some | {name}) - worth(some))
    return found


def expected(trees: Trees, one: FeatureTable, known: frozenset[str]) -> float:
    """Log-odds where only some fields are known: else both ways, as the training customers went."""
    return trees.start + sum(_expected(trees, tree, 0, one, known) for tree in trees.trees)


def _expected(
    trees: Trees, tree: Tree, place: int, one: FeatureTable, known: frozenset[str]
) -> float:
    node = tree[place]
    if isinstance(node, Leaf):
        return node.value
    left, right = (_expected(trees, tree, ahead, one, known) for ahead in (node.left, node.right))
    if node.field in known:
        return left if goes_left(trees, node, one.columns[node.field][:1]) else right
    passed, failed = _cover(tree, node.left), _cover(tree, node.right)
    return (passed * left + failed * right) / (passed + failed)


def _cover(tree: Tree, place: int) -> int:
    node = tree[place]
    if isinstance(node, Leaf):
        return node.cover
    return _cover(tree, node.left) + _cover(tree, node.right)


def test_one_by_one_equals_a_batch() -> None:
    """No customer's figures depend on the others, also in batches that are done in parts."""
    random = np.random.default_rng(2)
    table = FeatureTable({"x": random.random(700), "y": random.random(700)}, {})
    labels = (random.random(700) < table.numeric["x"]).astype(np.int64)
    scorer = TreeScorer(fitted(table, labels, "fine").formula())
    effects = TreeEffects(scorer)
    log_odds, shares = scorer.log_odds(table.columns), effects.effects(table.columns)
    for row in range(0, 700, 50):
        one = table.rows(np.array([row])).columns
        assert scorer.log_odds(one)[0] == pytest.approx(log_odds[row], abs=1e-12)
        for name, share in effects.effects(one).items():
            assert share[0] == pytest.approx(shares[name][row], abs=1e-12)
    nobody = table.rows(np.array([], dtype=np.int64)).columns
    assert scorer.log_odds(nobody).shape == (0,)
    assert [share.shape for share in effects.effects(nobody).values()] == [(0,), (0,)]


def test_beyond_what_training_has_seen_nothing_changes() -> None:
    """A number above all others scores as the greatest that was seen."""
    random = np.random.default_rng(3)
    x = random.random(500)
    table = FeatureTable({"x": x}, {})
    scorer = TreeScorer(fitted(table, (random.random(500) < x).astype(np.int64), "fine").formula())

    def at(*values: float) -> Array:
        return scorer.log_odds({"x": np.array(values)})

    assert at(1.1, 1e300, np.inf).tolist() == [at(x.max())[0]] * 3
    assert at(-1.0, -1e300, -np.inf).tolist() == [at(x.min())[0]] * 3


def test_trees_that_never_ask_say_what_they_hold() -> None:
    """Where no field says anything, everybody gets the mean, and no field has an effect."""
    scorer = TreeScorer(Trees(0.5, NUMBERS, TEXTS, ((Leaf(0.25, 9),), (Leaf(-1.0, 9),))))
    table, effects = somebody(1), TreeEffects(scorer)
    assert scorer.log_odds(table.columns).tolist() == [-0.25] * 6
    assert effects.base == -0.25
    assert all(not share.any() for share in effects.effects(table.columns).values())


STUMP: Tree = (NumberSplit("x", 0.5, False, 1, 2), Leaf(1.0, 3), Leaf(2.0, 4))


def chain(depth: int) -> Tree:
    """A tree that goes on to the right."""
    nodes: list[Node] = []
    for step in range(depth):
        nodes += [NumberSplit("x", float(step), False, 2 * step + 1, 2 * step + 2), Leaf(0.0, 1)]
    return (*nodes, Leaf(0.0, 1))


@pytest.mark.parametrize(
    "tree",
    [
        (NumberSplit("x", 0.5, False, 1, 1), Leaf(1.0, 3)),
        (NumberSplit("x", 0.5, False, 1, 3), Leaf(1.0, 3), Leaf(2.0, 4)),
        (*STUMP, Leaf(3.0, 1)),
        (Leaf(1.0, 3), *STUMP[1:]),
        (STUMP[0], NumberSplit("y", 0.5, False, 1, 2), Leaf(1.0, 3)),
        (STUMP[0], NumberSplit("y", 0.5, False, 2, 3), Leaf(1.0, 3), Leaf(2.0, 1)),
        (NumberSplit("z", 0.5, False, 1, 2), *STUMP[1:]),
        (NumberSplit("plan", 0.5, False, 1, 2), *STUMP[1:]),
        (TextSplit("x", (0,), False, 1, 2), *STUMP[1:]),
        (TextSplit("plan", (3,), False, 1, 2), *STUMP[1:]),
        chain(DEPTH + 1),
    ],
    ids=[
        *["both ways to one", "out of the list", "never led to", "leaf at first", "led to itself"],
        *["led to twice", "unknown field", "text as number", "number as text", "unknown text"],
        "too deep",
    ],
)
def test_trees_that_are_none_are_not_sound(tree: Tree) -> None:
    """Whoever follows a tree that is sound comes to an end, whatever the file was made for."""
    assert Trees(0.0, NUMBERS, TEXTS, (STUMP, chain(DEPTH))).fit(NUMBERS, TEXTS)
    assert not Trees(0.0, NUMBERS, TEXTS, (STUMP, tree)).is_sound


def test_trees_of_other_fields_do_not_fit() -> None:
    """Each field of the schema is known by its type, and no other."""
    trees = Trees(0.0, NUMBERS, TEXTS, (STUMP,))
    assert not trees.fit(["x"], TEXTS)
    assert not trees.fit(NUMBERS, ["plan"])
    assert not trees.fit([*NUMBERS, "plan"], ["city", "note"])
    assert not msgspec.structs.replace(trees, numbers=("x", "x", "y")).fit(NUMBERS, TEXTS)
    assert not msgspec.structs.replace(trees, texts=TEXTS | {"city": ("a", "a")}).is_sound


def test_trees_that_would_fill_the_memory_are_not_sound() -> None:
    """A file of some megabytes does not grow to gigabytes of words."""
    nodes = [
        tuple(
            msgspec.structs.replace(node, below=float(number)) if node in STUMP[:1] else node
            for node in STUMP
        )
        for number in range(2000)
    ]
    texts = {"note": tuple(map(str, range(1000)))}
    small = Trees(0.0, ("x",), texts, tuple(nodes))
    assert small.is_sound
    many = {f"note {n}": texts["note"] for n in range(34)}
    assert not msgspec.structs.replace(small, texts=many).is_sound


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("start", 1e16),
        ("start", "0"),
        ("trees", []),
        ("trees", [[]]),
        ("trees", [[{"type": "leaf", "value": 0.0, "cover": 1}] * 32]),
        ("trees", [[{"type": "leaf", "value": 1e300, "cover": 1}]]),
        ("trees", [[{"type": "leaf", "value": None, "cover": 1}]]),
        ("trees", [[{"type": "leaf", "value": 0.0, "cover": 0}]]),
        ("trees", [[{"type": "leaf", "value": 0.0, "cover": 2**60}]]),
        ("trees", [[{"type": "forest"}]]),
        ("texts", {"plan": ["a"] * 1001}),
    ],
)
def test_numbers_that_cannot_be_are_not_read(place: str, value: Any) -> None:
    """Each has its bounds."""
    held = msgspec.to_builtins(Trees(0.0, NUMBERS, TEXTS, (STUMP,))) | {place: value}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(held), type=Trees)

"""The saved form of a model that is boosted trees: nodes in lists, numbers and texts alone.

    log-odds = start + the value of the leaf that each tree leads to

A tree is asked from its node 0 on. This module holds numbers and checks alone;
`churnstream.model.tree_scorer` scores, `churnstream.model.tree_effects` explains.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

import msgspec

from churnstream.model.terms import Cell, Term

DEPTH = 4
"""The most splits on a path, so that a leaf knows four fields at most: its reasons are a table."""

LEAVES = 2**DEPTH  # of a tree, at most
_MOST_CELLS = 1 << 26  # of all fields, times trees: 128 MB as they are held for scoring
NodePlace = Annotated[int, msgspec.Meta(ge=1, lt=2 * LEAVES)]
KnownTexts = Annotated[tuple[str, ...], msgspec.Meta(max_length=1000)]


class Leaf(msgspec.Struct, frozen=True, tag="leaf"):
    """Where a path ends.

    Attributes:
        value: What it adds to the log-odds.
        cover: How many of the training customers came here.
    """

    value: Term
    cover: Annotated[int, msgspec.Meta(ge=1, le=2**40)]


class NumberSplit(msgspec.Struct, frozen=True, tag="number"):
    """A question about a number.

    Attributes:
        below: Smaller numbers go left, this and greater ones right; None: all numbers go left.
        missing_left: Whether a missing one goes left.
        left: The next node of its tree for those who go left, by its index.
        right: The same for the others.
    """

    field: str
    below: float | None
    missing_left: bool
    left: NodePlace
    right: NodePlace


class TextSplit(msgspec.Struct, frozen=True, tag="text"):
    """A question about a text; `missing_left`, `left` and `right` as those of a number.

    Attributes:
        cells: Of the texts that go left, by their indices among those that the field knows; the
            index after the last is that of every other text.
    """

    field: str
    cells: tuple[Cell, ...]
    missing_left: bool
    left: NodePlace
    right: NodePlace


Split = NumberSplit | TextSplit
Node = Leaf | Split
Tree = Annotated[tuple[Node, ...], msgspec.Meta(min_length=1, max_length=2 * LEAVES - 1)]


class Trees(msgspec.Struct, frozen=True):
    """A model in numbers.

    Attributes:
        start: Log-odds before any tree is asked.
        numbers: The fields that are numbers.
        texts: By each other field the texts that it knows.
        trees: Of each its nodes, every one after the one that leads to it.
    """

    start: Term
    numbers: tuple[str, ...]
    texts: dict[str, KnownTexts]
    trees: Annotated[tuple[Tree, ...], msgspec.Meta(min_length=1, max_length=2000)]

    def cuts(self) -> dict[str, list[float]]:
        """By field that is a number, where any tree cuts it, rising."""
        found: dict[str, set[float]] = {name: set() for name in self.numbers}
        for tree in self.trees:
            for node in tree:
                if isinstance(node, NumberSplit) and node.below is not None:
                    found[node.field].add(node.below)
        return {name: sorted(at) for name, at in found.items()}

    def fit(self, numeric: Iterable[str], categorical: Iterable[str]) -> bool:
        """Whether these are its fields, and it can be scored with, however it came here."""
        named = sorted(self.numbers) == sorted(numeric) and set(self.texts) == set(categorical)
        return named and self.is_sound

    @property
    def is_sound(self) -> bool:
        """Whether every tree is one, asks only what its fields can answer, and all are not huge."""
        numbers, texts = set(self.numbers), self.texts
        named = all(len(set(known)) == len(known) for known in texts.values())
        nodes = (node for tree in self.trees for node in tree)
        if not (named and all(_is_answered(node, numbers, texts) for node in nodes)):
            return False
        cells = sum(map(len, self.cuts().values())) + sum(map(len, self.texts.values()))
        fields = len(self.numbers) + len(self.texts)
        small = (cells + 2 * fields) * len(self.trees) <= _MOST_CELLS
        return small and all(map(_is_tree, self.trees))


def _is_answered(node: Node, numbers: Collection[str], texts: Mapping[str, KnownTexts]) -> bool:
    """Whether a node asks no more than its field can answer."""
    if isinstance(node, TextSplit):
        known = texts.get(node.field)
        return known is not None and max(node.cells, default=0) <= len(known)
    return isinstance(node, Leaf) or node.field in numbers


def _is_tree(nodes: Tree) -> bool:
    """Whether each node but the first is led to once, from before it, in at most `DEPTH` steps."""
    depths = {0: 0}
    for index, node in enumerate(nodes):
        if index not in depths or depths[index] > DEPTH:
            return False
        if not isinstance(node, Leaf):
            ahead = {node.left, node.right}
            if len(ahead) == 1 or min(ahead) <= index or ahead & depths.keys():
                return False
            depths |= dict.fromkeys(ahead, depths[index] + 1)
    return len(depths) == len(nodes)

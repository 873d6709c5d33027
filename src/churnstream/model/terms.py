"""The saved form of a model that is a sum of terms of one field, and of two.

    log-odds = base + the term of each field + the term of each pair of fields

A field of text has a table, a number has a smooth curve or steps; all three have a term for a
missing value, and beyond what training has seen a term stays what it was at the end. This module
holds numbers and checks alone; `churnstream.model.term_scorer` adds them up.

Centred as `churnstream.model.centring` leaves it, the base is the mean log-odds of the training
customers, and the share of a field (its own term, and half of each of its pairs) its effect.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated

import msgspec

# Wide enough for anything that was ever fitted, and so narrow that no sum leaves the numbers.
Term = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]
Knot = Annotated[float, msgspec.Meta(ge=-710, le=710)]  # the logarithm of the largest number is 710
Polynomial = Annotated[tuple[Term, ...], msgspec.Meta(min_length=1, max_length=8)]
Cell = Annotated[int, msgspec.Meta(ge=0, le=2000)]

_MOST_CELLS = 1 << 21  # of all pairs together as they are held for scoring: 16 MB


class Table(msgspec.Struct, frozen=True, tag="table"):
    """The term of a text.

    Attributes:
        terms: Of each known text.
        other: Of every other one: those too rare to have a term, and those never seen.
        missing: Of none.
    """

    terms: Annotated[dict[str, Term], msgspec.Meta(max_length=1000)]
    other: Term
    missing: Term

    @property
    def cells(self) -> int:
        """How many: the known texts in their order, then other, then missing."""
        return len(self.terms) + 2

    @property
    def is_sound(self) -> bool:
        """Always: its types say it all."""
        return True


class Steps(msgspec.Struct, frozen=True, tag="steps"):
    """The term of a number, by steps.

    Attributes:
        cuts: Where the steps are, rising; a number at a cut belongs above it.
        terms: Below the first cut, between each two, from the last one on.
        missing: The term of none.
    """

    cuts: Annotated[tuple[float, ...], msgspec.Meta(max_length=1000)]
    terms: tuple[Term, ...]
    missing: Term

    @property
    def cells(self) -> int:
        """How many: the steps from low to high, then missing."""
        return len(self.terms) + 1

    @property
    def is_sound(self) -> bool:
        """Whether the cuts rise, with one step more than there are cuts."""
        return _rises(self.cuts) and len(self.terms) == len(self.cuts) + 1


class Curve(msgspec.Struct, frozen=True, tag="curve"):
    """The term of a number, as a polynomial by pieces of its logarithm.

    Attributes:
        knots: Where the pieces meet, both ends included, rising; as sign(x) log(1 + |x|).
        coefficients: Of each piece in powers of the distance to its left knot, highest first.
        missing: The term of none.
    """

    knots: Annotated[tuple[Knot, ...], msgspec.Meta(min_length=2, max_length=1000)]
    coefficients: tuple[Polynomial, ...]
    missing: Term

    @property
    def is_sound(self) -> bool:
        """Whether the knots rise, with a polynomial of one degree between each two."""
        degrees = set(map(len, self.coefficients))
        pieces = len(self.coefficients)
        return _rises(self.knots) and len(degrees) == 1 and pieces == len(self.knots) - 1


class Pair(msgspec.Struct, frozen=True):
    """What two fields add together, beyond what each adds alone.

    Attributes:
        fields: Which two; each has a table or steps, whose cells are meant below.
        rows: By cell of the first field, its row of `terms`.
        columns: By cell of the second field, its column of `terms`.
        terms: The grid.
    """

    fields: tuple[str, str]
    rows: tuple[Cell, ...]
    columns: tuple[Cell, ...]
    terms: Annotated[
        tuple[Annotated[tuple[Term, ...], msgspec.Meta(min_length=1)], ...],
        msgspec.Meta(min_length=1),
    ]

    def fits(self, first: "Field | None", second: "Field | None") -> bool:
        """Whether every cell of its two fields has a place in the grid."""
        return (
            isinstance(first, Table | Steps)
            and isinstance(second, Table | Steps)
            and (len(self.rows), len(self.columns)) == (first.cells, second.cells)
            and max(self.rows) < len(self.terms)
            and {len(row) for row in self.terms} == {len(self.terms[0])}
            and max(self.columns) < len(self.terms[0])
        )


Field = Table | Steps | Curve


class Terms(msgspec.Struct, frozen=True):
    """A model in numbers.

    Attributes:
        base: Log-odds where every term is 0.
        fields: By field, its term.
        pairs: Of two fields each, none twice.
    """

    base: Term
    fields: dict[str, Field]
    pairs: tuple[Pair, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether it can be scored with, however it came here."""
        named = [frozenset(pair.fields) for pair in self.pairs]
        return (
            all(field.is_sound for field in self.fields.values())
            and all(len(names) == 2 for names in named)  # noqa: PLR2004 - a pair
            and len(set(named)) == len(named)
            and all(pair.fits(*map(self.fields.get, pair.fields)) for pair in self.pairs)
            and sum(len(p.rows) * len(p.columns) for p in self.pairs) <= _MOST_CELLS
        )

    def fit(self, numeric: Iterable[str], categorical: Iterable[str]) -> bool:
        """Whether there is a sound term for each of these fields, and for no other."""
        texts = {name for name, field in self.fields.items() if isinstance(field, Table)}
        numbers = self.fields.keys() - texts
        return texts == set(categorical) and numbers == set(numeric) and self.is_sound


def _rises(values: tuple[float, ...]) -> bool:
    return all(left < right for left, right in pairwise(values))

"""A model that is a sum of one term per feature, as tables and curves.

The default pipeline adds up, in log-odds, one term for each category and one smooth curve for each
number. Read out of the fitted pipeline (see `read_out`), the same sum needs no frame, no one-hot
columns and no basis functions: a dictionary look-up for all categories together, and a piecewise
polynomial for each number. It needs no scikit-learn either, whose import takes seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.model.features import known_values, numbers
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain

Array = NDArray[np.float64]
T = TypeVar("T")

_MOST_COMBINATIONS = 1 << 16

# Wide enough for anything that was ever fitted, and so narrow that no sum leaves the numbers.
Term = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]
_Knot = Annotated[float, msgspec.Meta(ge=0, le=1000)]  # the logarithm of the largest number is 710
_Polynomial = Annotated[tuple[Term, ...], msgspec.Meta(min_length=1, max_length=8)]


class Pieces(msgspec.Struct, frozen=True):
    """A piecewise polynomial.

    Attributes:
        knots: Where the pieces meet, as logarithms of 1 + amount, both ends included; rising.
        coefficients: Of each piece in powers of the distance to its left knot, highest first.
    """

    knots: Annotated[tuple[_Knot, ...], msgspec.Meta(min_length=2)]
    coefficients: tuple[_Polynomial, ...]

    @property
    def is_sound(self) -> bool:
        """Whether the knots rise, with a polynomial of one degree between each two."""
        rises = all(left < right for left, right in pairwise(self.knots))
        degrees = set(map(len, self.coefficients))
        return rises and len(degrees) == 1 and len(self.coefficients) == len(self.knots) - 1


class Terms(msgspec.Struct, frozen=True):
    """An additive model in numbers.

    Attributes:
        base: Log-odds where every term is 0.
        tables: By categorical field, the term of each value, written as text.
        curves: By field, the term of an amount.
    """

    base: Term
    tables: dict[str, dict[str, Term]]
    curves: dict[str, Pieces]

    def fit(self, schema: Schema) -> bool:
        """Whether there is a term for all that may stand in an event of this schema."""
        known = {name: set(map(_text, known_values(schema, name))) for name in schema.categorical}
        return (
            {name: set(table) for name, table in self.tables.items()} == known
            and set(self.curves) == set(schema.numeric)
            and all(pieces.is_sound for pieces in self.curves.values())
        )


class Curve:
    """The term of an amount: a polynomial by pieces of its logarithm, constant outside."""

    def __init__(self, pieces: Pieces) -> None:
        self.knots = np.array(pieces.knots)
        self._coefficients = np.array(pieces.coefficients).T

    def __call__(self, amounts: Array) -> Array:
        """Log-odds of amounts, both of shape (n,)."""
        inside = np.clip(np.log1p(amounts), self.knots[0], self.knots[-1])
        piece = np.searchsorted(self.knots[1:-1], inside, side="right")
        distance = inside - self.knots[piece]
        first, *rest = self._coefficients
        terms: Array = first[piece]
        for coefficients in rest:
            terms = terms * distance + coefficients[piece]
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

    def __init__(self, terms: Terms, schema: Schema) -> None:
        self.schema = schema
        self.base = terms.base
        self.tables: Mapping[str, Mapping[Any, float]] = {
            name: {value: table[_text(value)] for value in known_values(schema, name)}
            for name, table in terms.tables.items()
        }
        self.curves = {name: Curve(pieces) for name, pieces in terms.curves.items()}
        self.combination = _getter([schema.attributes[name] for name in self.tables])
        self._sums = Combinations(self._sum)

    def score(self, events: Sequence[Event]) -> Array:
        """Probabilities of churn, (n,)."""
        sums = map(self._sums.__getitem__, map(self.combination, events))
        log_odds = np.fromiter(sums, np.float64, len(events))
        log_odds += self.base
        for name, curve in self.curves.items():
            log_odds += curve(numbers(self.schema, events, name))
        with np.errstate(over="ignore"):  # an odd beyond all numbers is a probability of 0
            probabilities: Array = 1 / (1 + np.exp(-log_odds))
        return probabilities

    def terms(self, events: Sequence[Event]) -> dict[str, Array]:
        """What each feature adds to the log-odds, (n,) each; with the base they are the sum."""
        schema = self.schema
        categories = {
            name: np.array([table[category] for category in map(schema.getter(name), events)])
            for name, table in self.tables.items()
        }
        curves = {n: curve(numbers(schema, events, n)) for n, curve in self.curves.items()}
        return categories | curves

    def _sum(self, combination: tuple[Any, ...]) -> float:
        pairs = zip(self.tables.values(), combination, strict=True)
        return sum(table[category] for table, category in pairs)


def _getter(attributes: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Takes an event; the values of its attributes, as a tuple however many there are."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    get = [attrgetter(name) for name in attributes]
    return lambda event: tuple(one(event) for one in get)


def _text(value: object) -> str:
    return plain(value) or ""

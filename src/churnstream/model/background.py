"""What the training customers looked like: the measure for reasons and for drift."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Annotated, Self

import msgspec
import numpy as np

from churnstream.model.additive import Additive, Array, Term, Terms, amounts
from churnstream.model.features import FEATURES
from churnstream.model.quality import Count
from churnstream.schema.record_types import Event

SCORE = "churn_probability"

_AMOUNTS = ("tenure", "MonthlyCharges", "TotalCharges")
_INNER_DECILES = np.arange(1, 10) / 10


class Bins(msgspec.Struct, frozen=True):
    """How often the values of a feature occurred.

    Attributes:
        counts: By category, or by range in rising order.
        edges: Where the ranges end; each includes its upper edge. None for categories.
    """

    counts: Annotated[dict[str, Count], msgspec.Meta(min_length=1)]
    edges: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)] | None = None

    @property
    def is_sound(self) -> bool:
        """Whether it counts somebody, and by the ranges of its edges if it has some."""
        edges = self.edges
        fits = edges is None or (
            sorted(edges) == list(edges) and list(self.counts) == _ranges(edges)
        )
        return fits and sum(self.counts.values()) > 0

    @classmethod
    def of_categories(cls, values: Sequence[str]) -> Self:
        """Bins of text, in alphabetical order."""
        return cls(dict(sorted(Counter(values).items())))

    @classmethod
    def of_numbers(cls, values: Array) -> Self:
        """Ranges that hold about a tenth of the values each; fewer where values repeat a lot.

        The edges are rounded to four digits, so that the names of the ranges give them in full.
        """
        deciles = np.quantile(values, _INNER_DECILES, method="lower")
        edges = tuple(sorted({float(f"{edge:.4g}") for edge in deciles.tolist()}))
        return cls(_count(edges, values), edges)


class Reference(msgspec.Struct, frozen=True):
    """An event, and the probability that the model gave it when it was trained."""

    event: Event
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Background(msgspec.Struct, frozen=True):
    """The part of the customers that a model was fitted on, in figures.

    Attributes:
        mean_terms: By feature, what it adds to the log-odds on average; None for a pipeline that
            is no sum of terms.
        bins: By feature, and of the `SCORE`, how the customers were distributed.
    """

    mean_terms: dict[str, Term] | None
    bins: dict[str, Bins]

    @property
    def is_sound(self) -> bool:
        """Whether there are bins of everything, as `background` makes them."""
        return list(self.bins) == [*FEATURES, SCORE] and all(
            bins.is_sound and (bins.edges is None) == (name not in (*_AMOUNTS, SCORE))
            for name, bins in self.bins.items()
        )

    @property
    def rows(self) -> int:
        """How many customers there were."""
        return sum(self.bins[SCORE].counts.values())

    def count(
        self, events: Sequence[Event], probabilities: Array
    ) -> dict[str, Counter[str]]:
        """Sort other customers into the same bins; an unknown category gets one of its own."""
        return {
            name: Counter(_texts(events, name))
            if bins.edges is None
            else Counter(_count(bins.edges, _numbers(events, probabilities, name)))
            for name, bins in self.bins.items()
        }


def background(
    terms: Terms | None, events: Sequence[Event], probabilities: Array
) -> Background:
    """Describe the customers that a pipeline was fitted on.

    Args:
        terms: What it sums up; None if it is no sum of terms.
        events: Those that it was fitted on, at least one.
        probabilities: (n,) what was predicted for them. Out-of-fold predictions show best what to
            expect later: some models know the customers they were fitted on too well.
    """
    means: dict[str, float] | None = None
    if terms is not None:
        found = Additive(terms).terms(events)
        means = {name: float(term.mean()) for name, term in found.items()}
    bins = {
        name: Bins.of_numbers(_numbers(events, probabilities, name))
        if name in (*_AMOUNTS, SCORE)
        else Bins.of_categories(_texts(events, name))
        for name in (*FEATURES, SCORE)
    }
    return Background(means, bins)


def _texts(events: Sequence[Event], name: str) -> list[str]:
    return list(map(str, map(attrgetter(name), events)))


def _numbers(events: Sequence[Event], probabilities: Array, name: str) -> Array:
    return probabilities if name == SCORE else amounts(events, name)


def _count(edges: Sequence[float], values: Array) -> dict[str, int]:
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return dict(zip(_ranges(edges), counts.tolist(), strict=True))


def _ranges(edges: Sequence[float]) -> list[str]:
    """Names of the ranges between and around the edges."""
    names = [f"{edge:.4g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(names)]
    return [f"to {names[0]}", *between, f"over {names[-1]}"]

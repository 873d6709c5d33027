"""What the training customers looked like: the measure for reasons and for drift."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Self

import msgspec
import numpy as np

from churnstream.model.features import numbers, texts
from churnstream.model.quality import Array, Count
from churnstream.schema.fields import Category
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

SCORE = "churn_probability"

MISSING = "missing"
_OTHER = "other"
_MAX_CATEGORIES = 100  # of a field; the rare ones beyond are counted together
_MAX_EDGE = 1e308
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
            sorted(edges) == list(edges)
            and list(self.counts) in ([*_ranges(edges)], [*_ranges(edges), MISSING])
        )
        return fits and sum(self.counts.values()) > 0

    @classmethod
    def of_categories(cls, values: Sequence[str]) -> Self:
        """Bins of text, in alphabetical order; of very many only the frequent ones."""
        counts = Counter(value or MISSING for value in values)
        if len(counts) > _MAX_CATEGORIES:
            frequent = dict(counts.most_common(_MAX_CATEGORIES))
            counts = Counter(frequent | {_OTHER: len(values) - sum(frequent.values())})
        return cls(dict(sorted(counts.items())))

    @classmethod
    def of_numbers(cls, values: Array) -> Self:
        """Ranges that hold about a tenth of the values each; fewer where values repeat a lot.

        The edges are rounded to four digits, so that the names of the ranges give them in full,
        and capped, so that none is rounded to what is no number any more.
        """
        present = values[~np.isnan(values)]
        deciles = np.quantile(present if len(present) else [0.0], _INNER_DECILES, method="lower")
        capped = np.clip(deciles, -_MAX_EDGE, _MAX_EDGE).tolist()
        edges = tuple(sorted({float(f"{edge:.4g}") for edge in capped}))
        return cls(_count(edges, values), edges)

    def count(self, values: Sequence[str] | Array, *, fold: bool = False) -> Counter[str]:
        """Sort other values into these bins; an unknown category gets one of its own.

        Args:
            fold: Count all unknown categories as one, however many there are.
        """
        if self.edges is not None:
            return Counter(_count(self.edges, np.asarray(values, np.float64)))
        found = Counter(value or MISSING for value in values)
        if fold or _OTHER in self.counts:
            rare = [value for value in found if value not in self.counts]
            if rare:
                found[_OTHER] += sum(found.pop(value) for value in rare)
        return found


class Reference(msgspec.Struct, frozen=True):
    """An event, as its record holds it, and the probability that the model gave it in training."""

    event: dict[str, Any]
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Background(msgspec.Struct, frozen=True):
    """The part of the customers that a model was fitted on, in figures.

    Attributes:
        bins: By feature, and of the `SCORE`, how the customers were distributed.
    """

    bins: dict[str, Bins]

    def fits(self, schema: Schema) -> bool:
        """Whether there are bins of everything, as `background` makes them."""
        return list(self.bins) == [*schema.fields, SCORE] and all(
            bins.is_sound and (bins.edges is None) == (name not in (*schema.numeric, SCORE))
            for name, bins in self.bins.items()
        )

    @property
    def rows(self) -> int:
        """How many customers there were."""
        return sum(self.bins[SCORE].counts.values())

    def count(
        self, schema: Schema, events: Sequence[Event], probabilities: Array
    ) -> dict[str, Counter[str]]:
        """Sort other customers into the same bins."""
        return {
            name: bins.count(
                _values(schema, events, probabilities, name), fold=_is_open(schema, name)
            )
            for name, bins in self.bins.items()
        }


def background(schema: Schema, events: Sequence[Event], probabilities: Array) -> Background:
    """Describe the customers that a model was fitted on.

    Args:
        events: Those that it was fitted on, at least one.
        probabilities: (n,) what was predicted for them. Out-of-fold predictions show best what to
            expect later: some models know the customers they were fitted on too well.
    """
    bins = {
        name: Bins.of_numbers(np.asarray(values, np.float64))
        if name in (*schema.numeric, SCORE)
        else Bins.of_categories([str(value) for value in values])
        for name in (*schema.fields, SCORE)
        for values in [_values(schema, events, probabilities, name)]
    }
    return Background(bins)


def _is_open(schema: Schema, name: str) -> bool:
    """Whether any text may stand in a field, so that a window may hold millions of them."""
    field = schema.fields.get(name)
    return isinstance(field, Category) and field.unknown == "other"


def _values(
    schema: Schema, events: Sequence[Event], probabilities: Array, name: str
) -> Array | list[str]:
    if name == SCORE:
        return probabilities
    return (numbers if name in schema.numeric else texts)(schema, events, name)


def _count(edges: Sequence[float], values: Array) -> dict[str, int]:
    missing = np.isnan(values)
    places = np.searchsorted(edges, values[~missing])
    counts = np.bincount(places, minlength=len(edges) + 1).tolist()
    found = dict(zip(_ranges(edges), counts, strict=True))
    return found | ({MISSING: int(missing.sum())} if missing.any() else {})


def _ranges(edges: Sequence[float]) -> list[str]:
    """Names of the ranges between and around the edges."""
    names = [f"{edge:.4g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(names)]
    return [f"to {names[0]}", *between, f"over {names[-1]}"]

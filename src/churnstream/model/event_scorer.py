"""From events to log-odds and effects, whatever kind of model scores them."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.scan.scanned_events import ScannedColumns
from churnstream.model.feature_table import Array, Column
from churnstream.model.features import feature_table
from churnstream.model.formula import Formula
from churnstream.model.term_event_scorer import TermEventScorer
from churnstream.model.terms import Terms
from churnstream.model.tree_effects import TreeEffects
from churnstream.model.tree_scorer import TreeScorer
from churnstream.model.trees import Trees
from churnstream.schema.fields import known_values
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain


class EventScorer(Protocol):
    """Scores events of a schema; no event's figures depend on the others (to 1e-12)."""

    @property
    def schema(self) -> Schema:
        """Of the events."""
        ...

    @property
    def base(self) -> float:
        """The mean log-odds of the training customers."""
        ...

    def log_odds(self, events: Sequence[Event]) -> Array:
        """Log-odds of churn, (n,)."""
        ...

    def log_odds_of(self, columns: ScannedColumns) -> Array:
        """The same of scanned events, (n,)."""
        ...

    def effects(self, events: Sequence[Event]) -> dict[str, Array]:
        """By field its Shapley value in log-odds, (n,); with the base they are the log-odds."""
        ...

    def effects_of(self, columns: ScannedColumns) -> dict[str, Array]:
        """The same of scanned events, (n,) each."""
        ...


def event_scorer(schema: Schema, formula: Formula) -> EventScorer:
    """What scores by a formula.

    Args:
        formula: Sound, of the fields of the schema.
    """
    if isinstance(formula, Terms):
        return TermEventScorer(schema, formula)
    return TreeEventScorer(schema, formula)


class TreeEventScorer:
    """Boosted trees, asked about events."""

    def __init__(self, schema: Schema, trees: Trees) -> None:
        self.schema, self._trees = schema, TreeScorer(trees)

    @property
    def base(self) -> float:
        """The mean log-odds of the training customers."""
        return self._effects.base

    @cached_property
    def _effects(self) -> TreeEffects:
        return TreeEffects(self._trees)  # takes a moment, which who wants no reasons is spared

    def log_odds(self, events: Sequence[Event]) -> Array:
        """Log-odds of churn, (n,)."""
        return self._trees.log_odds(feature_table(self.schema, events).columns)

    def log_odds_of(self, columns: ScannedColumns) -> Array:
        """The same of scanned events, (n,)."""
        return self._trees.log_odds(self._features(columns))

    def effects(self, events: Sequence[Event]) -> dict[str, Array]:
        """The effect of each field, (n,)."""
        return self._effects.effects(feature_table(self.schema, events).columns)

    def effects_of(self, columns: ScannedColumns) -> dict[str, Array]:
        """The same of scanned events, (n,) each."""
        return self._effects.effects(self._features(columns))

    def _features(self, columns: ScannedColumns) -> dict[str, Column]:
        words = {name: _texts(self.schema, name).take(own) for name, own in columns.words.items()}
        return {**columns.numbers, **words}


def _texts(schema: Schema, name: str) -> NDArray[np.object_]:
    """What may stand in a categorical field, as text; None at its end where it may be missing."""
    known = known_values(schema.fields[name])
    found = np.empty(len(known), np.object_)
    found[:] = [plain(value) for value in known]
    return found

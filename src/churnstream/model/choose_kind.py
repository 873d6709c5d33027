"""Which kind of model fits these customers: the simplest of those that are about as good.

By cross-validation on the same folds. How many trees there are, and how closely those of pairs
look, is chosen by log loss there, which wants good probabilities and not only a good order; between
the kinds it is the ROC AUC that counts. All work is bounded by rows, fields and trees, not by a
clock: the same customers give the same model on a slow machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, get_args

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from churnstream.model.feature_table import Array, FeatureTable, Labels
from churnstream.model.fit_pairs import PairTrees, pairs_of
from churnstream.model.fit_sum import fit_sum
from churnstream.model.fit_trees import BoostedTrees
from churnstream.model.formula import Formula
from churnstream.model.kinds import FOLDS, TOLERANCE, Choice, Detail, Kind, KindMetrics
from churnstream.model.quality import calibration_error
from churnstream.model.splits import Folds, Groups, folds, sample
from churnstream.model.term_scorer import TermScorer, probabilities
from churnstream.model.terms import Terms

_SIZES = {
    "pairs": (100, 200, 400, 800, 1200),
    "trees": (50, 100, 150, 200, 300, 400, 600, 800),
}
_QUICK_FIRST: Sequence[Kind] = ("sum", "trees", "pairs")
_FAST_FIRST: Sequence[Detail] = ("fine", "smooth")
_HOPELESS = 3 * TOLERANCE  # of ROC AUC behind the best: more than a step wavers
_CUSTOMERS_TO_CHOOSE_ON = 10_000  # or as many as hold the next, where churners are few
_OF_EACH_LABEL = 500
_MOST_TO_CHOOSE_ON = 50_000
_NUMBERS_TO_SUM_UP = 30_000_000  # of the sum's design: 240 MB
_COLUMNS_A_FIELD = 15


@dataclass(frozen=True)
class Chosen:
    """A fitted model and what the cross-validation of its kind says.

    Attributes:
        formula: Fitted on all customers.
        choice: Why this kind.
        rows: Which customers the cross-validation was of, (m,).
        out_of_fold: Their probabilities by models that had not seen them, (m,).
        folds: Which of `rows` each fold held out.
    """

    formula: Formula
    choice: Choice
    rows: Labels
    out_of_fold: Array
    folds: tuple[Labels, ...]


@dataclass(frozen=True)
class _Tried:
    metrics: KindMetrics
    log_odds: Array


def choose(
    table: FeatureTable,
    labels: Labels,
    *,
    groups: Groups | None = None,
    kinds: Sequence[Kind] = get_args(Kind),
    seed: int = 42,
) -> Chosen:
    """Fit the simplest kind of model than which none is better by more than `TOLERANCE`.

    Args:
        labels: (n,) 1 for customers who churned, 0 for the others.
        groups: (n,) Whose row it is: rows of one customer stay on one side of every split. None
            if each row is somebody else's.
        kinds: Which to choose from, from simple to less so.
        seed: Of the sample, the folds and the trees.

    Raises:
        ModelError: A fold would be without customers of one of the two labels.
    """
    rows = sample(labels, groups, _enough(labels), seed=seed)
    known = labels[rows]
    split = folds(known, None if groups is None else groups[rows], FOLDS, seed=seed)
    with threadpool_limits(1):  # the parts are too small to share out: threads wait, and wait long
        tried = _Trial.of(table.rows(rows), known, split, seed).of_kinds(kinds)
        best = max(each.metrics.roc_auc for each in tried)
        chosen = next(t for t in tried if t.metrics.roc_auc >= best - TOLERANCE)
    few = len(table) <= _MOST_TO_CHOOSE_ON
    with threadpool_limits(1 if few else None):
        formula = fitted(chosen.metrics, table, labels, seed=seed)
    choice = Choice(chosen.metrics.kind, len(rows), tuple(each.metrics for each in tried))
    held_out = tuple(held for _, held in split)
    return Chosen(formula, choice, rows, probabilities(chosen.log_odds), held_out)


def fitted(metrics: KindMetrics, table: FeatureTable, labels: Labels, *, seed: int) -> Formula:
    """A kind, fitted on all customers; a curve of ten numbers needs no millions of them."""
    if metrics.detail and metrics.kind == "trees":
        boosted = BoostedTrees(table, labels, detail=metrics.detail, seed=seed)
        boosted.grow(metrics.trees)
        return boosted.formula()
    most = _NUMBERS_TO_SUM_UP // (_COLUMNS_A_FIELD * len(table.columns))
    rows = sample(labels, None, max(_CUSTOMERS_TO_CHOOSE_ON, most), seed=seed)
    some = table.rows(rows)
    terms = fit_sum(some, labels[rows])
    if metrics.detail is None:
        return terms
    pairs = pairs_of(terms, some)
    paired = PairTrees(table, labels, pairs=pairs, detail=metrics.detail, seed=seed)
    paired.grow(metrics.trees)
    return paired.terms()


def _enough(labels: Labels) -> int:
    """How many customers to compare on: a ROC AUC is as sure as the rarer label is frequent."""
    rarer = min(int(labels.sum()), len(labels) - int(labels.sum()))
    wanted = _OF_EACH_LABEL * len(labels) // max(rarer, 1)
    return min(max(_CUSTOMERS_TO_CHOOSE_ON, wanted), _MOST_TO_CHOOSE_ON)


class _Forest(Protocol):
    """Trees that grow on the customers of a fold."""

    def grow(self, trees: int) -> None: ...

    def log_odds(self, table: FeatureTable) -> Array: ...


@dataclass(frozen=True)
class _Trial:
    """The same customers and folds for every kind.

    Attributes:
        parts: Of each fold the customers to fit on, their labels, and those held out.
    """

    labels: Labels
    folds: Folds
    parts: Sequence[tuple[FeatureTable, Labels, FeatureTable]]
    seed: int

    @classmethod
    def of(cls, table: FeatureTable, labels: Labels, split: Folds, seed: int) -> "_Trial":
        parts = [(table.rows(fit), labels[fit], table.rows(held)) for fit, held in split]
        return cls(labels, split, parts, seed)

    @cached_property
    def sums(self) -> Sequence[Terms]:
        """Of each fold; they also say which fields pair trees may pair."""
        return [fit_sum(seen, own) for seen, own, _ in self.parts]

    def of_kinds(self, kinds: Sequence[Kind]) -> list[_Tried]:
        """Each with the settings that suit these customers best, as far as it may be chosen."""
        found: dict[Kind, _Tried] = {}
        for kind in sorted(kinds, key=_QUICK_FIRST.index):
            best = max((tried.metrics.roc_auc for tried in found.values()), default=0.0)
            found[kind] = self._of_kind(kind, best - _HOPELESS)
        return [found[kind] for kind in kinds]

    def _of_kind(self, kind: Kind, goal: float) -> _Tried:
        """A kind; its trees grow no further when it is clear that they cannot reach the goal."""
        if kind == "sum":
            scored = zip(self.sums, self.parts, strict=True)
            log_odds = [TermScorer(terms).score(unseen.columns) for terms, (*_, unseen) in scored]
            return self._tried("sum", log_odds)
        ends: list[_Tried] = []
        for detail in _FAST_FIRST:
            ends.append(_last_better(self._grown(kind, detail), goal))
            goal = max(goal, ends[-1].metrics.roc_auc - _HOPELESS)
        return min(ends, key=_loss)

    def _forests(self, kind: Kind, detail: Detail) -> Iterator[_Forest]:
        for number, (table, labels, _) in enumerate(self.parts):
            if kind == "trees":
                yield BoostedTrees(table, labels, detail=detail, seed=self.seed)
            else:
                pairs = pairs_of(self.sums[number], table)
                yield PairTrees(table, labels, pairs=pairs, detail=detail, seed=self.seed)

    def _grown(self, kind: Kind, detail: Detail) -> Iterator[tuple[_Tried, int]]:
        """More and more trees, and how many sizes are still to come."""
        forests, sizes = [*self._forests(kind, detail)], _SIZES[kind]
        for left, size in zip(reversed(range(len(sizes))), sizes, strict=True):
            for forest in forests:
                forest.grow(size)
            each = zip(forests, self.parts, strict=True)
            log_odds = [forest.log_odds(unseen) for forest, (*_, unseen) in each]
            yield self._tried(kind, log_odds, detail, size), left

    def _tried(
        self, kind: Kind, held_out: Sequence[Array], detail: Detail | None = None, trees: int = 0
    ) -> _Tried:
        log_odds, by_fold = np.empty(len(self.labels)), []
        for found, (_, held) in zip(held_out, self.folds, strict=True):
            log_odds[held] = found
            by_fold.append(roc_auc_score(self.labels[held], found))
        predicted = probabilities(log_odds)
        metrics = KindMetrics(
            kind=kind,
            roc_auc=float(np.mean(by_fold)),
            log_loss=float(log_loss(self.labels, predicted)),
            calibration_error=calibration_error(self.labels, predicted),
            detail=detail,
            trees=trees,
        )
        return _Tried(metrics, log_odds)


def _last_better(growing: Iterator[tuple[_Tried, int]], goal: float) -> _Tried:
    """The best by log loss, which falls while trees learn and rises when they learn by heart.

    Trees learn less and less: where as many steps as are left, each as good as the last one, would
    not lead to the goal, they are given up.
    """
    best, _ = next(growing)
    for tried, left in growing:
        if _loss(tried) >= _loss(best):
            break
        gain = tried.metrics.roc_auc - best.metrics.roc_auc
        best = tried
        if tried.metrics.roc_auc + left * gain < goal:
            break
    return best


def _loss(tried: _Tried) -> float:
    return tried.metrics.log_loss

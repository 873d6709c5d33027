"""How good a model's probabilities are: ranking, calibration, and decisions at a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from churnstream.errors import ModelError

_BINS = 10

Share = Annotated[float, msgspec.Meta(ge=0, le=1 + 1e-9)]  # sums of shares are rounded
Figure = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Predictions:
    """What a model said of customers, and what became of them.

    Attributes:
        labels: (n,) 1 for customers who churned, 0 for the others.
        worth: (n,) the customer's monthly value, in currency units.
        probabilities: (n,) of churn, 0 to 1.
    """

    labels: Labels
    worth: Array
    probabilities: Array


class Metrics(msgspec.Struct, frozen=True):
    """Figures of one set of predictions. Source of each formula in brackets.

    Attributes:
        roc_auc: Chance that a churner ranks above another customer [Hanley & McNeil 1982].
        average_precision: Precision averaged over the steps of recall, without interpolation
            [Manning et al. 2008, chapter 8.4].
        brier: Mean squared distance of probability and outcome [Brier 1950].
        log_loss: Mean negative log-likelihood, in nats [Good 1952].
        calibration_error: See `calibration_error`.
        accuracy: Share of right decisions at the threshold; so are the next three at the
            threshold, and 0 where they would divide by 0 [van Rijsbergen 1979, chapter 7].
        precision: Share of churners among the customers called churners.
        recall: Share of the churners that were called churners.
        f1: Harmonic mean of precision and recall.
        lift_top_decile: See `lift_top_decile`.
        rows: Number of predictions.
        positives: How many of them churned.
    """

    roc_auc: Share
    average_precision: Share
    brier: Share
    log_loss: Figure
    calibration_error: Share
    accuracy: Share
    precision: Share
    recall: Share
    f1: Share
    lift_top_decile: Figure
    rows: Count
    positives: Count


SPREAD = tuple(name for name in Metrics.__struct_fields__ if name not in ("rows", "positives"))
"""The figures of which there is a `Spread`."""


class Spread(msgspec.Struct, frozen=True):
    """A figure over the folds of a cross-validation.

    Attributes:
        mean: The arithmetic mean.
        std: The standard deviation of the sample (n - 1).
    """

    mean: Figure
    std: Figure


def evaluate(labels: Labels, probabilities: Array, threshold: float) -> Metrics:
    """Measure predictions against what happened.

    Args:
        labels: (n,) 1 for customers who churned, 0 for the others; both must occur.
        probabilities: (n,) of churn, 0 to 1.
        threshold: A customer at or above it is called a churner.

    Raises:
        ModelError: Only one of the two outcomes occurs, which leaves nothing to rank.
    """
    from sklearn import metrics

    rows, positives = len(labels), int(np.sum(labels))
    if positives in (0, rows):
        raise ModelError(f"cannot evaluate: {positives} of {rows} customers churned; need both")
    decisions = probabilities >= threshold
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, decisions, average="binary", zero_division=0
    )
    return Metrics(
        roc_auc=float(metrics.roc_auc_score(labels, probabilities)),
        average_precision=float(metrics.average_precision_score(labels, probabilities)),
        brier=float(metrics.brier_score_loss(labels, probabilities)),
        log_loss=float(metrics.log_loss(labels, probabilities)),
        calibration_error=calibration_error(labels, probabilities),
        accuracy=float(metrics.accuracy_score(labels, decisions)),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        lift_top_decile=lift_top_decile(labels, probabilities),
        rows=rows,
        positives=positives,
    )


def calibration_error(labels: Labels, probabilities: Array) -> float:
    """Expected calibration error over ten bins of equal mass.

    The mean distance between the average probability of a bin and the share of churners in it,
    weighted by the bin's size [Naeini et al. 2015; equal-mass bins: Nguyen & O'Connor 2015].
    Sampling noise alone makes it grow as the rows become few: compare like with like.
    """
    gaps = [
        len(rows) * abs(np.mean(probabilities[rows]) - np.mean(labels[rows]))
        for rows in bins(probabilities)
    ]
    return float(np.sum(gaps) / len(labels))


def bins(probabilities: Array) -> list[Labels]:
    """Ten sets of rows of equal mass, from low to high probabilities."""
    order = np.argsort(probabilities, kind="stable")
    return np.array_split(order, min(_BINS, len(probabilities)))


def lift_top_decile(labels: Labels, probabilities: Array) -> float:
    """Share of churners in the tenth with the highest probabilities, over the share in all.

    1 is no better than chance [Ling & Li 1998]. The tenth is rounded up; ties keep their order.
    """
    top = np.argsort(-probabilities, kind="stable")[: -(-len(labels) // 10)]
    return float(np.mean(labels[top]) / np.mean(labels))


def best_f1_threshold(labels: Labels, probabilities: Array) -> float:
    """The threshold with the highest F1 on these predictions; the highest such one if several."""
    from sklearn import metrics

    precision, recall, thresholds = metrics.precision_recall_curve(labels, probabilities)
    # F1 = 2PR / (P + R); P + R is 0 only where F1 is 0 too. The last point has no threshold.
    total = np.maximum(precision + recall, np.finfo(np.float64).tiny)
    f1 = (2 * precision * recall / total)[:-1]
    return float(thresholds[len(f1) - 1 - np.argmax(f1[::-1])])


def spread(folds: Sequence[Metrics]) -> dict[str, Spread]:
    """Mean and standard deviation of each figure over folds, without the counts."""
    values = {name: [getattr(fold, name) for fold in folds] for name in SPREAD}
    return {
        name: Spread(mean=float(np.mean(column)), std=float(np.std(column, ddof=1)))
        for name, column in values.items()
    }

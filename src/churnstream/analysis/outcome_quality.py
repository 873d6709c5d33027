"""How good predictions were, by what became of their customers."""

from churnstream.analysis.evaluation import LabelledPredictions, Quality
from churnstream.model.profit import gains
from churnstream.model.quality import Predictions, evaluate
from churnstream.model.scorer import Model


def quality_of(model: Model, labelled: LabelledPredictions) -> Quality:
    """Measure as training does; where all or none left, only the profit has a meaning.

    Args:
        model: Whose offer the profit is of; without a value in its schema there is none.
    """
    customers = Predictions(labelled.labels, labelled.worth, labelled.probabilities)
    profit = None
    if model.schema.value is not None:
        profit = float(gains(model.manifest.decision.offer, customers)[labelled.says_yes].sum())
    if not 0 < labelled.labels.sum() < len(labelled.labels):
        return Quality(profit=profit)
    # The threshold only moves metrics that are not shown: what was decided stands in `says_yes`.
    found = evaluate(labelled.labels, labelled.probabilities, threshold=0.5)
    return Quality(
        roc_auc=found.roc_auc,
        average_precision=found.average_precision,
        brier=found.brier,
        calibration_error=found.calibration_error,
        profit=profit,
    )

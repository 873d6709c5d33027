"""Which kind of model was chosen, and by what figures."""

from typing import Literal

import msgspec

from churnstream.model.quality import Share

Kind = Literal["sum", "pairs", "trees"]
"""From simple to less so: a sum of one term per field, the same with pairs of fields, trees."""
Detail = Literal["smooth", "fine"]
"""How closely each tree looks: "fine" finds small groups of customers where there are some."""

TOLERANCE = 0.002  # of ROC AUC; less than folds differ
FOLDS = 5


class KindMetrics(msgspec.Struct, frozen=True):
    """How good a kind of model is on customers that it has not seen.

    Attributes:
        roc_auc: Mean over the folds.
        log_loss: Of all folds together, in nats.
        calibration_error: Of all folds together.
        detail: How closely its trees look; None for a sum.
        trees: How many they are; 0 for a sum.
    """

    kind: Kind
    roc_auc: Share
    log_loss: float
    calibration_error: Share
    detail: Detail | None = None
    trees: int = 0


class Choice(msgspec.Struct, frozen=True):
    """Why a model is of its kind.

    Attributes:
        rows: Customers that were compared on; a sample where the file is large.
        candidates: From simple to less so.
    """

    kind: Kind
    rows: int
    candidates: tuple[KindMetrics, ...]

    def __str__(self) -> str:
        figures = ", ".join(f"{c.kind} {c.roc_auc:.4f}" for c in self.candidates)
        return (
            f"{self.kind}: the simplest that is within {TOLERANCE} of the best "
            f"(ROC AUC over {FOLDS} folds of {self.rows} customers: {figures})"
        )

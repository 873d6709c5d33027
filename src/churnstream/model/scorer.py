"""A loaded model: which events it can score, and their probabilities of churn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from churnstream.messages import CustomerEvent, Rejection
from churnstream.model import features
from churnstream.model.threads import one_blas_thread

if TYPE_CHECKING:
    from churnstream.model.manifest import Manifest


@dataclass(frozen=True)
class Model:
    """Scores events; never changes.

    Attributes:
        pipeline: Any fitted classifier that takes `features.frame`; column 1 of its
            `predict_proba` is churn.
    """

    pipeline: Pipeline
    manifest: "Manifest"

    @property
    def version(self) -> str:
        """Names this very model; newer versions sort after older ones."""
        return self.manifest.version

    @property
    def threshold(self) -> float:
        """The probability at which a customer is called a churner."""
        return self.manifest.threshold

    def check(self, events: Sequence[CustomerEvent]) -> dict[int, Rejection]:
        """By index, why an event cannot be scored; see `features.check`."""
        return features.check(events, self.manifest.schema)

    def score(self, events: Sequence[CustomerEvent]) -> npt.NDArray[np.float64]:
        """Probabilities of churn, (n,), in the order of the events.

        An event's probability does not depend on the others in the batch (to 1e-12).

        Args:
            events: All of which passed `check`.
        """
        if not events:
            return np.empty(0)
        rows = features.frame(events)
        with one_blas_thread():
            probabilities: npt.NDArray[np.float64] = self.pipeline.predict_proba(rows)
        return probabilities[:, 1]

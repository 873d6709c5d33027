"""Everything that is to be said of a window of events, for the summary and for its page."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from churnstream.analysis.calibration import CalibrationBuilder
from churnstream.analysis.feature_drift import Drift, drift
from churnstream.analysis.report_page import Findings, ModelFacts, ReportFigure
from churnstream.analysis.summary import Summary, SummaryBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from churnstream.model.manifest import Manifest
    from churnstream.model.scorer import Model
    from churnstream.model.shadow import Shadow
    from churnstream.records.prediction import ReasonGiven
    from churnstream.records.rejection import Rejection
    from churnstream.schema.record_types import Event
    from churnstream.schema.schema import Schema

_SAMPLE = 2000  # events of a batch that are compared with the training, evenly spread
_MEASURES = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
    "lift_top_decile": "Lift of the top tenth",
}


class WindowReport(NamedTuple):
    """The summary of a window, and what its page adds."""

    summary: Summary
    findings: Findings


class WindowReportBuilder:
    """Adds up the batches of a window.

    Args:
        schema: Of the events.
        model: The one that scored; None if it is not at hand.
        missing: Why it is not, in words.
    """

    def __init__(
        self, schema: Schema, model: Model | None, *, top_k: int, missing: str = ""
    ) -> None:
        self._schema = schema
        self._model, self._missing = model, missing
        self._summary = SummaryBuilder(schema, top_k=top_k)
        self._calibration = CalibrationBuilder(schema)
        self._counts: dict[str, Counter[str]] = {}
        self._thresholds: dict[str, float] = {}  # by version, in order of appearance
        self._began: datetime | None = None

    def note_model(self, version: str, threshold: float, scored_at: datetime) -> None:
        """Take note of the model that scored a batch of a run, and when."""
        self._thresholds[version] = threshold
        # Joining the group takes seconds that say nothing of the rate, so the first batch counts.
        self._began = self._began or scored_at

    def build_of_run(self, challengers: Sequence[Shadow] = ()) -> WindowReport:
        """What is to be said of a run that ends now, see `note_model` and `build`."""
        if not self._thresholds and self._model:
            self._thresholds[self._model.version] = self._model.threshold
        known = list(self._thresholds.values())
        took = (datetime.now(UTC) - self._began).total_seconds() if self._began else 0.0
        return self.build(
            model_versions=list(self._thresholds),
            threshold=known[0] if len(known) == 1 else None,
            duration_s=took,
            challengers=challengers,
        )

    def add(
        self,
        events: Sequence[Event],
        probabilities: NDArray[np.float64],
        says_yes: NDArray[np.bool_],
        partitions: Sequence[int],
        offsets: Sequence[int],
    ) -> None:
        """Add the scored events of a batch; see `SummaryBuilder.add`."""
        self._summary.add(events, probabilities, says_yes, partitions, offsets)
        self._calibration.add(events, probabilities)
        if self._model and events:
            step = -(-len(events) // _SAMPLE)
            counted = self._model.count(events[::step], probabilities[::step])
            for name, counts in counted.items():
                self._counts.setdefault(name, Counter()).update(counts)

    def add_rejected(
        self, rejections: Iterable[Rejection], partitions: Sequence[int], offsets: Sequence[int]
    ) -> None:
        """Add the dead letters of a batch, with the position of each."""
        self._summary.add_rejected(rejections, partitions, offsets)

    def add_passed_over(self, count: int) -> None:
        """Add records that hold no customer by rule."""
        self._summary.add_passed_over(count)

    def build(
        self,
        *,
        model_versions: Sequence[str],
        threshold: float | None,
        duration_s: float,
        challengers: Sequence[Shadow] = (),
    ) -> WindowReport:
        """See `SummaryBuilder.build`."""
        summary = self._summary.build(
            model_versions=model_versions,
            threshold=threshold,
            duration_s=duration_s,
            challengers=challengers,
        )
        if self._model and set(model_versions) - {self._model.version}:
            self._model, self._missing = None, "More than one model scored this window."
        findings = Findings(
            reasons=self._reasons(summary),
            model=_facts(self._model.manifest) if self._model else None,
            drift=self._drift(),
            calibration=self._calibration.build(),
            missing=self._missing,
        )
        return WindowReport(summary, findings)

    def _reasons(self, summary: Summary) -> dict[str, list[ReasonGiven]]:
        """Why the top customers are at risk: exact, and the same as with their predictions."""
        import numpy as np

        events = self._summary.top_events()
        if self._model is None or not events:
            return {}
        risks = np.array([customer.churn_probability for customer in summary.top_customers])
        found = self._model.reasons(events, risks, "all")
        return {
            self._schema.id_of(event): reasons or []
            for event, reasons in zip(events, found, strict=True)
        }

    def _drift(self) -> Drift | None:
        if self._model is None or not self._counts:
            return None
        bins = self._model.manifest.background.bins
        training = {name: its.counts for name, its in bins.items()}
        return drift(training, self._counts)


def _facts(manifest: Manifest) -> ModelFacts:
    return ModelFacts(
        created_at=manifest.created_at,
        rows=manifest.rows,
        threshold=manifest.threshold,
        rule=manifest.decision.rule,
        figures=[
            ReportFigure(
                title,
                getattr(manifest.test, name),
                manifest.cross_validated[name].mean,
                manifest.cross_validated[name].std,
            )
            for name, title in _MEASURES.items()
        ],
    )

"""A summary as a page: one HTML file that needs nothing else, for the screen and for paper."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from churnstream.analysis.calibration import CalibrationBin
from churnstream.analysis.drift import Drift
from churnstream.analysis.result_files import replace
from churnstream.analysis.summary import Summary
from churnstream.pages.render import render, style

SEGMENT_TITLES = {
    "Contract": "By contract",
    "InternetService": "By internet service",
    "PaymentMethod": "By payment method",
    "tenure": "By months with the company",
}


class Figure(msgspec.Struct, frozen=True):
    """A measure of a model: on the held-out customers, and over the folds."""

    name: str
    test: float
    mean: float
    std: float


class ModelFacts(msgspec.Struct, frozen=True):
    """What the page says of the model.

    Attributes:
        rows: Customers that it was trained on.
        threshold: The probability from which it calls a customer leaving.
        rule: How the threshold was chosen.
    """

    created_at: datetime
    rows: int
    threshold: float
    rule: str
    figures: Sequence[Figure]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a page holds besides the summary.

    Attributes:
        reasons: By customer among the top ones, why, in words.
        model: None where the model that scored is not at hand; `missing` then says which one is.
        drift: None where there is no model to compare with.
        calibration: Empty where no event has a label.
    """

    reasons: Mapping[str, Sequence[str]]
    model: ModelFacts | None
    drift: Drift | None
    calibration: Sequence[CalibrationBin]
    missing: str = ""


def render_report(summary: Summary, findings: Findings) -> str:
    """The page as HTML."""
    labelled = sum(one.events for one in findings.calibration)
    return render(
        "report.html.j2",
        style=style(),
        summary=summary,
        threshold=findings.model.threshold if findings.model else summary.threshold,
        segments=[
            (title, list(summary.segments[name].items())) for name, title in SEGMENT_TITLES.items()
        ],
        letters=Counter(summary.dead_letters_by_reason).most_common(),
        reasons=findings.reasons,
        model=findings.model,
        missing=findings.missing,
        drift=findings.drift,
        calibration=findings.calibration,
        calibration_points=[
            (one.predicted, one.observed, one.events / labelled) for one in findings.calibration
        ],
    )


def write_report(summary: Summary, findings: Findings, path: Path) -> None:
    """Write the page; a reader finds the old file or the new one, whole.

    Raises:
        ChurnstreamError: The file cannot be written.
    """
    replace(path, render_report(summary, findings).encode())

"""A summary as a page: one HTML file that needs nothing else, for the screen and for paper."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from churnstream.analysis.calibration import CalibrationBin
from churnstream.analysis.feature_drift import Drift
from churnstream.analysis.result_files import replace_result
from churnstream.analysis.shown_columns import heading_of, shown_columns, text_in
from churnstream.analysis.summary import ScoreTotals, Summary
from churnstream.analysis.top_customers import TopCustomer
from churnstream.model.phrases import short_reason_writer
from churnstream.pages.render import render, style
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.schema import Schema, Segment
from churnstream.schema.segments import in_order


class SegmentTable(NamedTuple):
    """A card of the page: figures by the values of a segment."""

    heading: str
    rows: list[tuple[str, ScoreTotals]]


class CustomerRow(NamedTuple):
    """A top customer.

    Attributes:
        numbers: By field.
        texts: By field, for people to read.
    """

    name: str
    risk: float
    numbers: dict[str, float | None]
    texts: dict[str, str]
    reasons: list[str]


class ReportFigure(msgspec.Struct, frozen=True):
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
    figures: Sequence[ReportFigure]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a page holds besides the summary.

    Attributes:
        reasons: By customer among the top ones, why.
        model: None where the model that scored is not at hand; `missing` then says which one is.
        drift: None where there is no model to compare with.
        calibration: Empty where no event has a label.
    """

    reasons: Mapping[str, Sequence[ReasonGiven]]
    model: ModelFacts | None
    drift: Drift | None
    calibration: Sequence[CalibrationBin]
    missing: str = ""


def render_report(schema: Schema, summary: Summary, findings: Findings) -> str:
    """The page as HTML."""
    labelled = sum(one.events for one in findings.calibration)
    return render(
        "report_page.html.j2",
        style=style(),
        summary=summary,
        in_money=schema.value is not None,
        threshold=findings.model.threshold if findings.model else summary.threshold,
        segments=[_segment_table(schema, summary, one) for one in schema.breakdowns],
        dead_letters=Counter(summary.dead_letters_by_reason).most_common(),
        columns=shown_columns(schema),
        customers=[_customer_row(schema, findings, one) for one in summary.top_customers],
        has_reasons=bool(findings.reasons),
        model=findings.model,
        missing=findings.missing,
        drift=findings.drift,
        calibration=findings.calibration,
        calibration_points=[
            (one.predicted, one.observed, one.events / labelled) for one in findings.calibration
        ],
    )


def _segment_table(schema: Schema, summary: Summary, segment: Segment) -> SegmentTable:
    figures = summary.segments[segment.field]
    names = in_order(schema, segment, figures)
    return SegmentTable(heading_of(segment), [(name, figures[name]) for name in names])


def _customer_row(schema: Schema, findings: Findings, customer: TopCustomer) -> CustomerRow:
    name, shorten = schema.id_of(customer), short_reason_writer(schema)
    numbers = {
        column.field: getattr(customer, column.attribute)
        for column in shown_columns(schema)
        if column.is_number
    }
    texts = {
        column.field: text_in(schema, column, customer)
        for column in shown_columns(schema)
        if not column.is_number
    }
    reasons = map(shorten, findings.reasons.get(name, ()))
    return CustomerRow(name, customer.churn_probability, numbers, texts, list(reasons))


def write_report(schema: Schema, summary: Summary, findings: Findings, path: Path) -> None:
    """Write the page; a reader finds the old file or the new one, whole.

    Raises:
        ChurnstreamError: The file cannot be written.
    """
    replace_result(path, render_report(schema, summary, findings).encode())

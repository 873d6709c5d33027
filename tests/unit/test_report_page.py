"""The page that a report is kept as."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank import BANK, bank_customer
from builders import TELCO, CustomerEvent, customer
from churnstream.analysis.calibration import CalibrationBuilder
from churnstream.analysis.report_page import render_report
from churnstream.analysis.window_report import WindowReport, WindowReportBuilder
from churnstream.model.manifest import load
from churnstream.pages import charts
from churnstream.pages.render import number, span
from churnstream.records.rejection import Rejection

LARGEST = 2_000_000


def window(customers: list[CustomerEvent], trained: Path | None) -> WindowReport:
    """What is to be said of these customers and one dead letter."""
    model = load(trained) if trained else None
    builder = WindowReportBuilder(TELCO, model, top_k=10, missing="" if model else "No model here.")
    risks = np.linspace(0.01, 0.99, len(customers)) if model is None else model.score(customers)
    offsets = list(range(len(customers)))
    builder.add(customers, risks, risks >= 0.3, [0] * len(customers), offsets)
    builder.add_rejected([Rejection("not_json", "value", "is not JSON")], [0], [len(customers)])
    return builder.build(
        model_versions=[model.version if model else "v1"], threshold=None, duration_s=1
    )


def page_of(result: WindowReport) -> str:
    """The page as HTML."""
    return render_report(TELCO, result.summary, result.findings)


class _Texts(HTMLParser):
    """Keeps the texts between the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        """See the base class."""
        self.found.append(data)


def text_of(page: str) -> str:
    """What a reader reads, with single spaces."""
    parser = _Texts()
    parser.feed(page[page.index("<body>") :])
    return " ".join(" ".join(parser.found).split())


@pytest.fixture(scope="module")
def full(customers: list[CustomerEvent], trained: Path) -> str:
    """The page of all bundled customers."""
    return page_of(window(customers, trained))


def test_the_page_stands_alone(full: str) -> None:
    """It names no address, runs no script and is small enough to mail."""
    assert len(full) < LARGEST
    assert not re.search(r"https?:|//\w|<script|@import|url\(|src=", full)
    assert re.findall(r'href="([^"]*)"', full) == ["data:,"]


def test_the_page_says_what_the_summary_says(
    full: str, customers: list[CustomerEvent], trained: Path
) -> None:
    """Figures, segments, dead letters and top customers are those of the summary."""
    summary = window(customers, trained).summary
    text = text_of(full)
    assert f"{summary.predicted_churners:,}" in text
    assert f"{summary.monthly_revenue_at_risk:,.0f} a month is at risk" in text
    for name in ("Month-to-month", "Fiber optic", "Electronic check", "0-12"):
        assert name in text
    for top in summary.top_customers:
        assert top.customerID in text
    assert "not json" in text


def test_the_top_customers_have_their_reasons(
    customers: list[CustomerEvent], trained: Path
) -> None:
    """Reasons are those of the model for the very event that is listed."""
    model = load(trained)
    result = window(customers, trained)
    for top in result.summary.top_customers:
        event = customers[top.source_offset]
        (reasons,) = model.reasons([event], np.array([top.churn_probability]), "all")
        assert result.findings.reasons[top.customerID] == reasons


def test_customers_without_a_value_are_counted() -> None:
    """Without a monthly value the page says how many will leave, and speaks of no money."""
    ages = [25, 42, 60, 61, 80]
    events = [bank_customer(CustomerId=str(age), Age=age, HasCrCard=age % 2) for age in ages]
    builder = WindowReportBuilder(BANK, None, top_k=3, missing="No model here.")
    risks = np.array([0.1, 0.2, 0.3, 0.8, 0.9])
    builder.add(events, risks, risks >= 0.5, [0] * 5, list(range(5)))
    found = builder.build(model_versions=["v1"], threshold=0.5, duration_s=1)
    page = render_report(BANK, found.summary, found.findings)
    text = text_of(page)
    assert "In all, about 2 customers are expected to leave." in text
    assert "a month" not in text
    assert "Customers at risk 2 the sum of all probabilities" in text
    assert re.search(r"18-30 .* 31-45 .* 46-60 .* over 60 .* By credit card .* no .* yes", text)
    assert "Customer Risk Age Geography Credit card What raises the risk most 80 90.0 % 80" in text


def test_a_schema_without_segments_is_a_page(customers: list[CustomerEvent]) -> None:
    """The customers stand there with their first fields, and no empty card."""
    plain = msgspec.structs.replace(TELCO, segments=(), value=None)
    builder = WindowReportBuilder(plain, None, top_k=3)
    risks = np.linspace(0, 1, 3)
    builder.add(customers[:3], risks, risks >= 0.5, [0] * 3, [0, 1, 2])
    found = builder.build(model_versions=["v1"], threshold=0.5, duration_s=1)
    text = text_of(render_report(plain, found.summary, found.findings))
    assert "By " not in text
    assert "Customer Risk Tenure Gender Senior citizen Partner Dependents Phone service" in text


def test_a_page_without_the_model_says_so(customers: list[CustomerEvent]) -> None:
    """Reasons, drift and the model's figures are missing, and nothing is made up for them."""
    text = text_of(page_of(window(customers[:50], None)))
    assert text.count("No model here.") == 3
    assert "raises" not in text.replace("What raises the risk most", "")


def test_an_empty_window_is_a_page_too() -> None:
    """Nothing scored is said in words."""
    text = text_of(page_of(window([], None)))
    assert "Nothing was scored in this window" in text


def test_few_events_are_no_drift(customers: list[CustomerEvent], trained: Path) -> None:
    """Too few events to tell from chance are called just that."""
    assert "20 events are too few" in text_of(page_of(window(customers[:20], trained)))


def test_text_from_outside_stays_text() -> None:
    """A customer's name cannot add anything to the page."""
    evil = '"><script>alert(1)</script>'
    event = msgspec.convert(customer(customerID=evil, Contract=evil), CustomerEvent)
    page = page_of(window([event], None))
    assert "<script" not in page
    assert evil in text_of(page)


@given(
    labelled=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["Yes", "No", None])), max_size=50)
)
def test_calibration_counts_each_label_once(labelled: list[tuple[float, str | None]]) -> None:
    """Every labelled event is in the tenth of its probability, the others nowhere."""
    builder = CalibrationBuilder(TELCO)
    events = [
        msgspec.convert(customer() if churn is None else customer(Churn=churn), CustomerEvent)
        for _, churn in labelled
    ]
    builder.add(events, np.array([risk for risk, _ in labelled], dtype=np.float64))
    known = [(risk, churn) for risk, churn in labelled if churn]

    found = builder.build()
    assert sum(one.events for one in found) == len(known)
    left = sum(churn == "Yes" for _, churn in known)
    assert sum(one.events * one.observed for one in found) == pytest.approx(left)
    for one in found:
        assert one.low - 1e-9 <= one.predicted <= one.high + 1e-9


@given(st.floats(0, 1e15))
def test_a_chart_reaches_up_to_a_round_number(highest: float) -> None:
    """The upper edge is not below the highest value, and not far above it."""
    assert highest <= charts.ceiling(highest)
    assert charts.ceiling(highest) <= max(2.1 * highest, 1.0)


@pytest.mark.parametrize(
    ("values", "lines"), [([], 0), ([1.0], 1), ([1.0, 2.0], 1), ([1.0, None, 2.0, 3.0], 2)]
)
def test_a_line_has_a_gap_where_nothing_is_known(values: list[float | None], lines: int) -> None:
    """Each run of neighbours with values is one line."""
    assert charts.line(values, 3.0).count("<polyline") == lines


def test_numbers_read_well() -> None:
    """Thousands are separated, none at all is a dash, astronomic ones are short."""
    assert [number(1234567.0), number(None), number(1e300)] == ["1,234,567", "-", "1.00e+300"]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (datetime(2026, 1, 2, 8, 0, tzinfo=UTC), "2026-01-02 08:00 UTC"),
        (datetime(2026, 1, 2, 9, 30, tzinfo=UTC), "2026-01-02 08:00 to 09:30 UTC"),
        (datetime(2026, 1, 3, 9, 30, tzinfo=UTC), "2026-01-02 08:00 to 2026-01-03 09:30 UTC"),
    ],
)
def test_a_span_of_time_reads_well(last: datetime, said: str) -> None:
    """What both of its ends have in common is said once."""
    assert span((datetime(2026, 1, 2, 8, 0, tzinfo=UTC), last)) == said

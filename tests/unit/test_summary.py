"""The summary: exact totals, whatever the batches, in bounded memory, and always valid JSON."""

import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders import TELCO, CustomerEvent
from churnstream.analysis.result_files import require_writable
from churnstream.analysis.summary import (
    OffsetRange,
    Summary,
    SummaryBuilder,
    write_summary,
)
from churnstream.errors import ChurnstreamError
from churnstream.records.rejection import Rejection

SEGMENTS = ["Contract", "InternetService", "PaymentMethod", "tenure"]
NINE = datetime(2026, 1, 31, 9, tzinfo=UTC)


def event(**changes: Any) -> CustomerEvent:
    """A customer's event, but for the changes always the same."""
    known = CustomerEvent(
        customerID="7590-VHVEG",
        gender="Female",
        SeniorCitizen=0,
        Partner="Yes",
        Dependents="No",
        tenure=1,
        PhoneService="No",
        MultipleLines="No phone service",
        InternetService="DSL",
        OnlineSecurity="No",
        OnlineBackup="Yes",
        DeviceProtection="No",
        TechSupport="No",
        StreamingTV="No",
        StreamingMovies="No",
        Contract="Month-to-month",
        PaperlessBilling="Yes",
        PaymentMethod="Electronic check",
        MonthlyCharges=30.0,
        TotalCharges=30.0,
        event_ts=NINE,
    )
    return msgspec.structs.replace(known, **changes)


class Scored(NamedTuple):
    """One scored event and where it was read."""

    event: CustomerEvent
    probability: float
    partition: int = 0
    offset: int = 0


def builder(top_k: int = 10) -> SummaryBuilder:
    """A builder whose churners start at a probability of 0.5."""
    return SummaryBuilder(TELCO, top_k=top_k)


def add(to: SummaryBuilder, *rows: Scored) -> SummaryBuilder:
    """Add the rows as one batch."""
    events, probabilities, partitions, offsets = zip(*rows, strict=True) if rows else ((),) * 4
    risks = np.array(probabilities, np.float64)
    to.add(events, risks, risks >= 0.5, partitions, offsets)
    return to


def summary_of(*rows: Scored, top_k: int = 10) -> Summary:
    """The summary of one batch, after 2 seconds."""
    return add(builder(top_k), *rows).build(model_versions=["v1"], threshold=0.5, duration_s=2.0)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text of a summary in built-in types, by its path."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, f"{path}/{key}")
    else:
        yield path, value


def content(summary: Summary) -> dict[str, Any]:
    """Everything in a summary but for the moment of its making."""
    found = dict(leaves(msgspec.to_builtins(summary, str_keys=True)))
    found.pop("/generated_at")
    return found


@st.composite
def scored(draw: st.DrawFn) -> list[Scored]:
    """Up to 40 scored events of few customers, with ties."""
    row = st.builds(
        Scored,
        st.builds(
            event,
            customerID=st.sampled_from("ABCDEFGH"),
            Contract=st.sampled_from(["Month-to-month", "One year", "Two year"]),
            InternetService=st.sampled_from(["DSL", "Fiber optic", "No"]),
            PaymentMethod=st.sampled_from(["Electronic check", "Mailed check"]),
            tenure=st.integers(0, 100),
            MonthlyCharges=st.sampled_from([0.0, 70.0, 1e308]) | st.floats(0, 200),
            event_ts=st.integers(0, 1000).map(lambda seconds: NINE + timedelta(seconds=seconds)),
        ),
        probability=st.sampled_from([0.0, 0.5, 0.9, 1.0]) | st.floats(0, 1),
        partition=st.integers(0, 2),
    )
    rows = draw(st.lists(row, max_size=40))
    return [row._replace(offset=offset) for offset, row in enumerate(rows)]


def test_figures_of_the_whole_window() -> None:
    """Counts, shares, averages and revenue follow from the probabilities and charges."""
    summary = summary_of(
        Scored(event(MonthlyCharges=100.0), 0.8),
        Scored(event(MonthlyCharges=20.0), 0.1),
        Scored(event(MonthlyCharges=50.0), 0.6),
        Scored(event(MonthlyCharges=10.0), 0.1),
    )

    assert summary.scored == 4
    assert summary.predicted_churners == 2
    assert summary.churn_rate == 0.5
    assert summary.average_probability == pytest.approx(0.4)
    assert summary.monthly_revenue_at_risk == pytest.approx(113.0)
    assert (summary.model_version, summary.threshold) == ("v1", 0.5)
    assert (summary.duration_s, summary.events_per_sec) == (2.0, 2.0)


def test_figures_of_a_segment() -> None:
    """Each value of a segmentation that occurs has its own figures."""
    summary = summary_of(
        Scored(event(Contract="Two year", MonthlyCharges=100.0), 0.2),
        Scored(event(Contract="Month-to-month", MonthlyCharges=50.0), 0.6),
        Scored(event(Contract="Two year", MonthlyCharges=10.0), 0.6),
    )

    contracts = summary.segments["Contract"]
    assert list(contracts) == ["Month-to-month", "Two year"]
    assert contracts["Two year"].scored == 2
    assert contracts["Two year"].churn_rate == 0.5
    assert contracts["Two year"].average_probability == pytest.approx(0.4)
    assert contracts["Two year"].monthly_revenue_at_risk == pytest.approx(26.0)
    assert list(summary.segments) == SEGMENTS


@pytest.mark.parametrize(
    ("months", "band"),
    [
        (0, "0-12"),
        (12, "0-12"),
        (13, "13-24"),
        (24, "13-24"),
        (25, "25-48"),
        (48, "25-48"),
        (49, "49-72"),
        (72, "49-72"),
        (73, "over 72"),
        (2**63 - 1, "over 72"),
    ],
)
def test_tenure_bands(months: int, band: str) -> None:
    """Months with the company fall into the band whose ends include them."""
    assert list(summary_of(Scored(event(tenure=months), 0.5)).segments["tenure"]) == [band]


def test_dead_letters_are_read_but_not_scored() -> None:
    """Messages read are the scored and the dead letters, which are counted by reason."""
    unfinished = add(builder(), Scored(event(), 0.9, offset=5))
    missing, broken = Rejection("missing_field", "gender", ""), Rejection("not_json", "value", "")
    unfinished.add_rejected([missing, broken, missing], [0, 1, 0], [7, 3, 4])
    summary = unfinished.build(model_versions=["v1"], threshold=0.5, duration_s=1.0)

    assert (summary.messages_read, summary.scored, summary.dead_lettered) == (4, 1, 3)
    assert summary.dead_letters_by_reason == {"missing_field": 2, "not_json": 1}
    assert summary.window.partitions == {0: OffsetRange(4, 7), 1: OffsetRange(3, 3)}
    assert summary.events_per_sec == 4.0


def test_window_spans_all_batches() -> None:
    """Offsets by partition and times reach from the first to the last of any batch."""
    late, early = event(event_ts=NINE + timedelta(hours=1)), event(event_ts=NINE)
    unfinished = add(builder(), Scored(late, 0.1, 2, 10), Scored(late, 0.1, 0, 8))
    add(unfinished, Scored(early, 0.1, 2, 11), Scored(early, 0.1, 2, 12))
    window = unfinished.build(model_versions=["v1"], threshold=0.5, duration_s=1.0).window

    assert window.partitions == {0: OffsetRange(8, 8), 2: OffsetRange(10, 12)}
    assert (window.first_event_ts, window.last_event_ts) == (NINE, NINE + timedelta(hours=1))


def test_top_customer_carries_what_explains_it() -> None:
    """A top customer shows its risk, the revenue behind it, its columns and its source."""
    (top,) = summary_of(Scored(event(MonthlyCharges=40.0), 0.75, 1, 42)).top_customers

    assert msgspec.structs.asdict(top) == {
        "customerID": "7590-VHVEG",
        "churn_probability": 0.75,
        "revenue_at_risk": 30.0,
        "Contract": "Month-to-month",
        "tenure": 1,
        "InternetService": "DSL",
        "PaymentMethod": "Electronic check",
        "MonthlyCharges": 40.0,
        "source_partition": 1,
        "source_offset": 42,
    }


def test_top_customers_settle_ties() -> None:
    """Among equal probabilities the higher charge comes first, then the customerID."""
    cheap, dear = event(customerID="A", MonthlyCharges=1.0), event(customerID="Z")
    also_dear = event(customerID="B")
    summary = summary_of(Scored(cheap, 0.9), Scored(dear, 0.9), Scored(also_dear, 0.9), top_k=2)

    assert [top.customerID for top in summary.top_customers] == ["B", "Z"]


@given(scored(), st.integers(0, 6))
def test_top_customers_are_the_riskiest_event_of_each(rows: list[Scored], top_k: int) -> None:
    """The list is what sorting every event and keeping each customer's first would give."""
    riskiest: dict[str, float] = {}
    for row in sorted(rows, key=lambda row: -row.probability):
        riskiest.setdefault(row.event.customerID, row.probability)

    unfinished = builder(top_k)
    for row in rows:
        add(unfinished, row)
    top = unfinished.build(model_versions=["v1"], threshold=0.5, duration_s=1.0).top_customers

    assert [customer.churn_probability for customer in top] == list(riskiest.values())[:top_k]
    assert all(riskiest[customer.customerID] == customer.churn_probability for customer in top)


@given(scored(), st.lists(st.integers(0, 40)), st.integers(0, 6))
def test_batches_make_no_difference(rows: list[Scored], cuts: list[int], top_k: int) -> None:
    """The same events give the same summary, wherever batches end."""
    edges = [0, *sorted(cuts), len(rows)]
    unfinished = builder(top_k)
    for start, end in pairwise(edges):
        add(unfinished, *rows[start:end])

    in_one_piece = {
        path: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
        for path, value in content(summary_of(*rows, top_k=top_k)).items()
    }
    assert (
        content(unfinished.build(model_versions=["v1"], threshold=0.5, duration_s=2.0))
        == in_one_piece
    )


_TINY = [Scored(event(tenure=months), 1.192092896e-07) for months in (0, 13)]


@given(scored())
@example(_TINY)
def test_every_segmentation_adds_up_to_the_whole(rows: list[Scored]) -> None:
    """Each segmentation splits the same events, churners, probability and revenue."""
    summary = summary_of(*rows)
    for segments in summary.segments.values():
        parts = list(segments.values())
        probability = sum((part.average_probability or 0) * part.scored for part in parts)
        revenue = sum(part.monthly_revenue_at_risk or 0 for part in parts)

        assert sum(part.scored for part in parts) == summary.scored == len(rows)
        assert sum(part.predicted_churners for part in parts) == summary.predicted_churners
        assert probability / max(len(rows), 1) == pytest.approx(summary.average_probability or 0)
        assert revenue == pytest.approx(summary.monthly_revenue_at_risk)


def test_empty_window() -> None:
    """Where nothing was read, counts are zero and shares are null."""
    summary = add(builder()).build(model_versions=["v1"], threshold=0.5, duration_s=0.0)

    assert summary.messages_read == summary.scored == summary.predicted_churners == 0
    assert summary.monthly_revenue_at_risk == 0
    assert summary.churn_rate is summary.average_probability is summary.events_per_sec is None
    assert summary.window.partitions == {}
    assert summary.window.first_event_ts is summary.window.last_event_ts is None
    assert summary.segments == {name: {} for name in SEGMENTS}
    assert summary.top_customers == []


def test_only_dead_letters() -> None:
    """A window without a single scored event still accounts for its dead letters."""
    unfinished = builder()
    unfinished.add_rejected([Rejection("empty", "value", "")], [2], [9])
    summary = unfinished.build(model_versions=["v1"], threshold=0.5, duration_s=1.0)

    assert (summary.messages_read, summary.dead_lettered, summary.scored) == (1, 1, 0)
    assert summary.window.partitions == {2: OffsetRange(9, 9)}


def test_absurd_charges_stay_finite() -> None:
    """The largest charges that JSON can hold do not add up to infinity."""
    absurd = [Scored(event(MonthlyCharges=1.7e308), 1.0)] * 3
    summary = add(add(builder(), *absurd), *absurd).build(
        model_versions=["v1"], threshold=0.5, duration_s=1.0
    )

    assert summary.monthly_revenue_at_risk is not None
    assert np.isfinite(summary.monthly_revenue_at_risk)


def test_memory_does_not_grow_with_customers() -> None:
    """A run over ever new customers keeps no more than a short one."""
    unfinished = builder()
    draw = np.random.default_rng(42)

    def run(batches: range) -> int:
        for batch in batches:
            rows = [Scored(event(customerID=f"{batch}-{i}"), draw.random()) for i in range(500)]
            add(unfinished, *rows)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    short = run(range(5))
    long = run(range(5, 25))
    tracemalloc.stop()

    assert long - short < 500_000  # 10,000 customers would be several million bytes


def test_written_summary_reads_back(tmp_path: Path) -> None:
    """The file is indented JSON that holds the summary, in folders made for it, and no draft."""
    summary = summary_of(Scored(event(), 0.9, 1, 3))
    path = tmp_path / "reports" / "today" / "summary.json"
    write_summary(summary, path)

    found = msgspec.json.decode(path.read_bytes(), type=Summary)
    assert msgspec.to_builtins(found) == msgspec.to_builtins(summary)
    assert path.read_text().startswith('{\n  "scored": 1,\n')
    assert [file.name for file in path.parent.iterdir()] == ["summary.json"]


def test_written_summary_replaces_the_old_one(tmp_path: Path) -> None:
    """A second summary takes the place of the first, and an empty one is valid JSON too."""
    path = tmp_path / "summary.json"
    write_summary(summary_of(Scored(event(), 0.9)), path)
    write_summary(summary_of(), path)

    written = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert written["scored"] == 0
    assert written["churn_rate"] is None


@pytest.mark.parametrize("place", ["file/summary.json", "file/deep/summary.json"])
def test_folder_that_cannot_be(tmp_path: Path, place: str) -> None:
    """A path below something that is no folder is one clear line."""
    (tmp_path / "file").touch()
    path = tmp_path / place
    with pytest.raises(ChurnstreamError) as caught:
        write_summary(summary_of(), path)

    assert str(caught.value) == f"cannot write {path}: Not a directory"


def test_path_that_is_a_folder(tmp_path: Path) -> None:
    """A folder is not overwritten, and no draft stays behind beside it."""
    folder = tmp_path / "reports"
    folder.mkdir()
    with pytest.raises(ChurnstreamError, match=r"cannot write .*: Is a directory"):
        write_summary(summary_of(), folder)

    assert list(tmp_path.iterdir()) == [folder]


def test_of_too_many_values_the_rest_is_one() -> None:
    """Whoever wrote the predictions that are summed up: segments are few, and count every event."""
    rows = [
        Scored(event(Contract=f"{i}" + "c" * 1000, PaymentMethod=f"{i}"), 0.9) for i in range(300)
    ]
    found = summary_of(*rows)
    for name in ("Contract", "PaymentMethod"):
        assert len(found.segments[name]) <= 51
        assert sum(figures.scored for figures in found.segments[name].values()) == 300
        assert found.segments[name]["other"].scored == 250
    assert all(len(value) <= 100 for value in found.segments["Contract"])


def test_trying_a_file_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither a draft nor a folder that was not there before."""
    (tmp_path / "there").mkdir()
    require_writable(tmp_path / "there" / "summary.json")
    require_writable(tmp_path / "new" / "deep" / "summary.json")

    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_trying_a_file_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    """What an earlier run wrote stays until the new one is whole."""
    (tmp_path / "summary.json").write_text("old")
    require_writable(tmp_path / "summary.json")

    assert (tmp_path / "summary.json").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1

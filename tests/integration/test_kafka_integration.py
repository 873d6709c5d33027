"""The flow from end to end: every bundled customer and some broken records, through the broker."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builders import TELCO, CustomerEvent, decode_event, decode_prediction, telco_rows
from churnstream.analysis.summary import Summary
from churnstream.codecs.event_encoder import decode_rows
from churnstream.model.manifest import load
from churnstream.testing.broken_records import BrokenRecord, broken_records
from integration.flow import Flow, NewFlow, Sent, position_of, value_of

CUSTOMERS = 7043


@pytest.fixture(scope="module")
def flow(new_flow: NewFlow) -> Flow:
    """The input topic holds every customer."""
    flow: Flow = new_flow("flow")
    ran = flow.run("produce --mode batch")
    assert ran.code == 0, ran.err
    return flow


@pytest.fixture(scope="module")
def broken(flow: Flow) -> list[BrokenRecord]:
    """The input topic holds one record of each broken kind, too."""
    records = broken_records(TELCO, json.loads(value_of(flow.events()[0])))
    flow.send([Sent(record.value, record.key) for record in records])
    return records


@pytest.fixture(scope="module")
def summary(flow: Flow, broken: list[BrokenRecord]) -> Summary:
    """All of it was scored in one run, with the default batch size."""
    assert broken
    return flow.consume()


@pytest.fixture(scope="module")
def expected(model_folder: Path) -> dict[str, float]:
    """By customer, what the saved model says when it is asked directly."""
    rows = [
        row
        for batch in telco_rows().batches(10_000)
        for row in decode_rows(batch, TELCO, datetime.now(UTC), decode_event)
    ]
    events = [row for row in rows if isinstance(row, CustomerEvent)]
    probabilities = load(model_folder).score(events)
    return {e.customerID: p for e, p in zip(events, probabilities.tolist(), strict=True)}


@pytest.mark.usefixtures("summary")
def test_predictions(flow: Flow, expected: dict[str, float]) -> None:
    """Every customer's prediction in the topic is what the saved pipeline says, to 1e-9."""
    found = {p.customerID: p.churn_probability for p in flow.predictions()}
    assert found == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("batch_size", "most"), [(1, 100), (777, 10_000)])
def test_batch_boundaries(
    flow: Flow, expected: dict[str, float], batch_size: int, most: int
) -> None:
    """How the events are cut into batches makes no difference to what is predicted, to 1e-9."""
    output, dead_letters = f"scored-in-{batch_size}s", f"refused-in-{batch_size}s"
    elsewhere = ("--output-topic", output, "--deadletter-topic", dead_letters, "--group", output)
    assert flow.run("topics create", *elsewhere).code == 0
    cut = ("--batch-size", batch_size, "--max-messages", most)
    scored = flow.consume(*elsewhere, *cut).scored
    made = [decode_prediction(value_of(record)) for record in flow.read(output)]
    found = {prediction.customerID: prediction.churn_probability for prediction in made}
    assert len(found) == len(made) == scored > 0
    asked = {customer: expected[customer] for customer in found}
    assert found == pytest.approx(asked, rel=0, abs=1e-9)


@pytest.mark.usefixtures("summary")
def test_prediction_is_traceable(flow: Flow, model_folder: Path) -> None:
    """A prediction names its model, and the position where the event it speaks of is found."""
    model = load(model_folder)
    events = {position_of(record): record for record in flow.events()}
    for record in flow.read(flow.settings.topics.output):
        made = decode_prediction(value_of(record))
        source = events[made.source_partition, made.source_offset]
        event = json.loads(value_of(source))
        assert made.customerID == event["customerID"]
        assert made.event_ts == datetime.fromisoformat(event["event_ts"])
        assert record.key() == source.key()
        assert record.partition() == source.partition()
        assert made.model_version == model.version
        assert (made.prediction == "Yes") == (made.churn_probability >= model.threshold)
        assert made.processed_ts >= made.event_ts


@pytest.mark.usefixtures("summary")
def test_new_customers_are_scored(flow: Flow) -> None:
    """The 11 customers whose TotalCharges is blank are scored: they are new."""
    rows = next(telco_rows().batches(10_000)).to_pylist()
    new = {row["customerID"] for row in rows if not row["TotalCharges"].strip()}
    assert len(new) == 11
    assert new <= {prediction.customerID for prediction in flow.predictions()}


def test_summary_adds_up(flow: Flow, summary: Summary, broken: list[BrokenRecord]) -> None:
    """Every event was read, and is either scored or dead-lettered, in total and by segment."""
    assert summary.messages_read == len(flow.events()) == CUSTOMERS + len(broken)
    assert (summary.scored, summary.dead_lettered) == (CUSTOMERS, len(broken))
    assert sum(summary.dead_letters_by_reason.values()) == len(broken)
    for name in (segment.field for segment in TELCO.breakdowns):
        segments = summary.segments[name].values()
        assert sum(figures.scored for figures in segments) == CUSTOMERS
        churners = sum(figures.predicted_churners for figures in segments)
        assert churners == summary.predicted_churners
    ends = {p: part.last - part.first + 1 for p, part in summary.window.partitions.items()}
    assert sum(ends.values()) == summary.messages_read


def test_every_event_has_one_outcome(
    flow: Flow, summary: Summary, broken: list[BrokenRecord]
) -> None:
    """Each place of the input topic is the source of one prediction or of one dead letter."""
    outcomes = flow.outcomes()
    assert set(outcomes) == set(map(position_of, flow.events()))
    assert outcomes.total() == len(outcomes) == summary.messages_read
    assert len(flow.dead_letters()) == len(broken)


def test_report_equals_summary(flow: Flow, summary: Summary) -> None:
    """A report over the topic gives the figures that the run itself gave."""
    _assert_equal(_report(flow), summary)


def test_report_counts_a_repeated_dead_letter_once(flow: Flow, summary: Summary) -> None:
    """A dead letter that a crash or another group repeated counts once in the report."""
    dead_letters = "repeated-letters"
    assert flow.run("topics create", "--deadletter-topic", dead_letters).code == 0
    flow.send([Sent.again(dead_letter) for dead_letter in flow.dead_letters() * 2], dead_letters)
    _assert_equal(_report(flow, "--deadletter-topic", dead_letters), summary)


def _report(flow: Flow, *flags: str) -> Summary:
    path = flow.folder / "report.json"
    ran = flow.run("report", "--summary", path, *flags)
    assert ran.code == 0, ran.err
    return msgspec.json.decode(path.read_bytes(), type=Summary)


def _assert_equal(report: Summary, summary: Summary) -> None:
    ours, theirs = _figures(summary), _figures(report)
    assert theirs.pop("segments") == {
        name: {value: pytest.approx(figures) for value, figures in segments.items()}
        for name, segments in ours.pop("segments").items()
    }
    assert theirs.pop("top_customers") == ours.pop("top_customers")
    assert theirs.pop("window") == ours.pop("window")
    assert theirs.pop("dead_letters_by_reason") == ours.pop("dead_letters_by_reason")
    assert theirs == pytest.approx(ours)


def _figures(summary: Summary) -> dict[str, Any]:
    """A summary without what speaks of its run."""
    figures = msgspec.to_builtins(summary, str_keys=True)
    for name in ("duration_s", "events_per_sec", "generated_at", "threshold", "challengers"):
        del figures[name]
    return dict(figures)


@pytest.mark.usefixtures("summary")
def test_nothing_left(flow: Flow) -> None:
    """After a run over everything the group has no lag, and another run reads nothing."""
    rows = json.loads(flow.run("topics describe --json").out)
    assert {row["lag"] for row in rows if row["topic"] == flow.settings.topics.input} == {0}
    assert flow.consume().messages_read == 0

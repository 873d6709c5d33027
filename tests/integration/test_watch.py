"""The commands that watch the model: drift and evaluate, on a scored topic."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from builders import TELCO, telco_rows
from churnstream.codecs.event_encoder import encode_events
from integration.flow import Flow, Sent, position_of


def bundled(flow: Flow, day: int, rows: pa.RecordBatch) -> None:
    """Send customers as observed on a day of March."""
    keys, values = encode_events(rows, TELCO, datetime(2026, 3, day, 12, tzinfo=UTC))
    flow.send([Sent(value, key) for value, key in zip(values, keys, strict=True)])


@pytest.fixture(scope="module")
def rows() -> pa.RecordBatch:
    """The bundled customers, with their labels."""
    return next(telco_rows().batches(10_000))


def test_drift(flow: Flow, rows: pa.RecordBatch) -> None:
    """Customers like those of the training are no drift; only fiber optic customers are one."""
    nothing = flow.run("drift")
    assert nothing.code == 1
    assert nothing.error == "nothing to compare: the window holds no predictions"

    bundled(flow, 1, rows.slice(0, 50))
    flow.consume()
    few = flow.run("drift")
    assert few.code == 1
    assert few.error.startswith("the window is too small: between 50 events and the 5,634 of")

    bundled(flow, 2, rows.slice(50, 2000))
    flow.consume()
    alike = flow.run("drift")
    assert (alike.code, alike.err) == (0, "")
    assert "no drift (threshold 0.2, 2,050 events against 5,634 of the training)" in alike.out

    bundled(flow, 3, rows.filter(pc.equal(rows["InternetService"], "Fiber optic")))
    flow.consume()
    drifted = flow.run("drift", "--json")
    assert drifted.code == 1
    found = json.loads(drifted.out)
    assert "InternetService" in found["drifted"]
    assert found["measured"][0]["psi"] > 0.2


def test_evaluate(flow: Flow, rows: pa.RecordBatch) -> None:
    """Predictions are evaluated by the labels of later events, each on its own day."""
    some = rows.slice(0, 600)
    unlabelled = some.drop_columns(["Churn"])
    bundled(flow, 1, unlabelled)
    flow.consume()
    early = flow.run("evaluate")
    assert (early.code, early.error) == (
        1,
        "nothing to evaluate: none of 600 predictions has a label yet",
    )

    ends = dict(map(position_of, flow.events()))
    bundled(flow, 2, some.slice(0, 400))
    flow.consume()
    ran = flow.run("evaluate", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    total, later = found["total"], found["by_source"]["later event"]
    assert (total["predictions"], total["judged"]) == (1000, 800)
    assert later["judged"] == found["by_source"]["same event"]["judged"] == 400
    assert later["churned"] == pc.sum(pc.equal(some["Churn"][:400], "Yes")).as_py()
    assert 0.75 < later["roc_auc"] < 0.95
    days = [(period["start"], period["judged"]) for period in found["periods"]]
    assert days == [("2026-03-01T00:00:00Z", 400), ("2026-03-02T00:00:00Z", 400)]

    window = ",".join(f"{p}:{offset + 1}" for p, offset in sorted(ends.items()))
    first = flow.run("evaluate", "--to", window)
    assert first.code == 0, first.err
    assert "2026-03-01" in first.out
    assert "2026-03-02" not in first.out

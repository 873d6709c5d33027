"""Every shape of docs/topics.md, through a broker: one model, and a line of the schema for each."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from event_shapes import SCHEMA, STAMP, Shape, change, passed_over, rejected, scored

from churnstream.records.prediction import Prediction
from churnstream.schema import schema_file
from churnstream.schema.event_source import EventSource
from integration.flow import Flow, NewFlow, Sent, churnstream, raw_headers


@pytest.fixture(scope="session")
def bank_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the schema of all shapes, which has no source."""
    folder: Path = tmp_path_factory.mktemp("bank")
    rows, schema = folder / "rows.csv", folder / "customers.yaml"
    schema.write_text(SCHEMA, encoding="utf-8")
    choose = Random(1)
    with rows.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["CustomerId", "Exited", "Age", "Balance", "Country", "HasCard", "Since"])
        for number in range(600):
            age = choose.randint(18, 80)
            since = date(2024, 1, 1) + timedelta(choose.randint(0, 600))
            left = int(choose.random() < age / 100)
            country = choose.choice(["France", "Spain"])
            writer.writerow(
                [f"R-{number}", left, age, choose.random() * 99, country, number % 2, since]
            )
    trained = churnstream(
        "train", "--schema", schema, "--dataset", rows, "--model", folder / "model"
    )
    assert trained.code == 0, trained.err
    return folder / "model"


@pytest.fixture
def sent(
    new_flow: NewFlow, bank_model: Path, request: pytest.FixtureRequest
) -> tuple[Flow, list[object]]:
    """A flow whose topic has one event of a shape, and the flags that say how to read it."""
    shape: Shape = request.param
    flow = new_flow(shape.title)
    schema = flow.folder / "customers.yaml"
    source = f"source: {{{shape.declared}}}\n" if shape.declared else ""
    schema.write_text(SCHEMA + source, encoding="utf-8")
    headers = tuple((name, text.encode()) for name, text in shape.headers.items())
    flow.send([Sent(shape.raw_value, shape.raw_key, headers=headers, timestamp=STAMP)])
    return flow, ["--schema", schema, "--model", bank_model]


def titles(shape: Shape) -> str:
    """What names a test."""
    return shape.title


@pytest.mark.parametrize("sent", [*scored()], ids=titles, indirect=True)
def test_scored(sent: tuple[Flow, list[object]]) -> None:
    """Its prediction has the id for a key, and the time of the event."""
    flow, flags = sent
    flow.consume(*flags)

    (record,) = flow.read(flow.settings.topics.output)
    made = msgspec.json.decode(record.value() or b"", type=Prediction)
    assert record.key() == b"C-1"
    assert made.event_ts.isoformat() == "2026-01-02T03:04:05+00:00"
    assert flow.run("audit", *flags[:2]).code == 0


@pytest.mark.parametrize("sent", [*passed_over()], ids=titles, indirect=True)
def test_passed_over(sent: tuple[Flow, list[object]]) -> None:
    """It is counted, and the audit derives the same from the event."""
    flow, flags = sent
    flow.consume(*flags)

    assert flow.outcomes() == {}
    assert flow.summary().passed_over
    audit = flow.run("audit --json", *flags[:2])
    assert audit.code == 0, audit.err
    assert sum(row["passed_over"] for row in json.loads(audit.out)["partitions"]) == 1


@pytest.mark.parametrize("sent", [*rejected()], ids=titles, indirect=True)
def test_rejected(sent: tuple[Flow, list[object]]) -> None:
    """The dead letter names the line of the source that is wrong or missing."""
    flow, flags = sent
    flow.consume(*flags)

    (dead_letter,) = flow.dead_letters()
    said = dict(raw_headers(dead_letter))["__connect.errors.exception.message"]
    assert b"source" in (said or b"")


def test_a_schema_is_inferred_from_a_topic(flow: Flow, tmp_path: Path) -> None:
    """With where the customers are in its events, so that a consumer reads them."""
    choose, sent = Random(1), []
    for number in range(200):
        own = f"C-{number}"
        row = {"cust_no": own, "Age": choose.randint(18, 80), "Plan": choose.choice("ab")}
        sent.append(Sent(json.dumps(change("c", row)).encode(), json.dumps({"cust": own}).encode()))
    flow.send(sent)
    target = tmp_path / "customers.yaml"
    broker, topic = flow.settings.kafka.brokers, flow.settings.topics.input
    ran = churnstream("init", "--topic", topic, "--broker", broker, "-o", target)

    assert ran.code == 0, ran.err
    found = schema_file.read(target)
    assert found.source == EventSource(envelope="debezium", key="cust")
    assert (found.id, [*found.fields]) == ("cust_no", ["Age", "Plan"])
    assert f"--input-topic {topic}" in ran.out

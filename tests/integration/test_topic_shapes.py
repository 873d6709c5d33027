"""Every shape of docs/topics.md, through a broker: one model, and a line of the schema for each."""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from collections.abc import Callable
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


def rows(count: int = 200) -> list[dict[str, object]]:
    """Customers, as plain values."""
    choose = Random(1)
    return [
        {
            "cust_no": f"C-{number}",
            "age": choose.randint(18, 80),
            "balance": choose.randint(100_000, 999_999) / 100,
            "plan": choose.choice("ab"),
            "since": date(2024, 1, 1) + timedelta(choose.randint(0, 600)),
        }
        for number in range(count)
    ]


def as_connect(row: dict[str, object]) -> Sent:
    """A change by Debezium with its schema: a day and a decimal are what that says."""
    kinds = [
        {"field": "balance", "name": DECIMAL, "parameters": {"scale": "2"}},
        {"field": "since", "name": "io.debezium.time.Date"},
    ]
    unscaled = round(float(str(row["balance"])) * 100).to_bytes(4, "big")
    days = (date.fromisoformat(str(row["since"])) - date(1970, 1, 1)).days
    own = {**row, "balance": b64encode(unscaled).decode(), "since": days}
    schema = {"fields": [{"field": "after", "fields": kinds}]}
    key = {"schema": {}, "payload": {"cust_no": row["cust_no"]}}
    return sent_as({"schema": schema, "payload": change("u", own)}, json.dumps(key))


def as_written(row: dict[str, object]) -> Sent:
    """Deep inside, with a list beside, a decimal comma, and the time in microseconds as text."""
    own = {**row, "balance": f"{row['balance']:.2f}".replace(".", ","), "since": str(row["since"])}
    key = json.dumps({"cust_no": row["cust_no"], "region": 3})
    event = {"meta": {"created_at": str(STAMP * 1000)}, "account": {"holder": own, "tags": ["x"]}}
    return sent_as(event, key)


def as_cloud_event(row: dict[str, object]) -> Sent:
    """In binary mode, with an attribute of one's own."""
    names = {"specversion": "1.0", "type": "x", "time": "2026-01-02T03:04:05Z", "tenant": "eu"}
    headers = tuple((f"ce_{name}", text.encode()) for name, text in names.items())
    own = {**row, "since": str(row["since"])}
    own["membership"] = {"plan": own.pop("plan")}
    return sent_as(own, str(row["cust_no"]))._replace(headers=headers)


def sent_as(event: object, key: str) -> Sent:
    """A record."""
    return Sent(json.dumps(event).encode(), key.encode(), timestamp=STAMP)


DECIMAL = "org.apache.kafka.connect.data.Decimal"
SOURCES = [
    (as_connect, EventSource(envelope="debezium")),
    (
        as_written,
        EventSource(
            envelope="account.holder",
            time="meta.created_at",
            time_format="epoch-micros",
            decimal=",",
        ),
    ),
    (as_cloud_event, EventSource(envelope="cloudevents", names={"plan": "membership.plan"})),
]


@pytest.mark.parametrize(("shape", "source"), SOURCES)
def test_a_schema_is_inferred_from_a_topic(
    shape: Callable[[dict[str, object]], Sent], source: EventSource, flow: Flow, tmp_path: Path
) -> None:
    """It has the types that values mean and the source of the events, by which all are read."""
    flow.send([shape(row) for row in rows()])
    target = tmp_path / "customers.yaml"
    broker, topic = flow.settings.kafka.brokers, flow.settings.topics.input
    ran = churnstream("init", "--topic", topic, "--broker", broker, "-o", target)

    assert ran.code == 0, ran.err
    found = schema_file.read(target)
    assert (found.id, found.source) == ("cust_no", source)
    kinds = {name: type(field).__name__ for name, field in found.fields.items()}
    assert kinds == {"age": "Integer", "balance": "Number", "plan": "Category", "since": "Date"}
    assert "200 of the newest 200 events can be scored by this schema" in ran.out
    assert "dead letters" not in ran.out
    assert f"churnstream init FILE --topic {topic} --force" in ran.out


def test_a_file_and_a_topic(flow: Flow, tmp_path: Path) -> None:
    """The file says what customers are and who left, the topic where they are: all are scored."""
    flow.send([as_connect(row) for row in rows()])
    table, target = tmp_path / "bank.csv", tmp_path / "customers.yaml"
    lines = [f"{','.join(map(str, row.values()))},{n % 3 == 0:d},x" for n, row in enumerate(rows())]
    table.write_text("\n".join(["CustNo,Age,Balance,Plan,Since,Exited,Note", *lines]))
    broker, topic = flow.settings.kafka.brokers, flow.settings.topics.input
    ran = churnstream("init", table, "--topic", topic, "--broker", broker, "-o", target)

    assert ran.code == 0, ran.err
    found = schema_file.read(target)
    names = {"CustNo": "cust_no", "Age": "age", "Balance": "balance"}
    names |= {"Plan": "plan", "Since": "since"}
    assert found.source == EventSource(envelope="debezium", names=names)
    assert found.label is not None
    assert "200 of the newest 200 events can be scored" in ran.out
    model = tmp_path / "model"
    trained = churnstream("train", "--schema", target, "--model", model)
    assert trained.code == 0, trained.err
    flow.consume("--schema", target, "--model", model)
    assert len(flow.read(flow.settings.topics.output)) == 200
    assert flow.dead_letters() == []


def test_a_topic_that_is_not_there(flow: Flow, tmp_path: Path) -> None:
    """Init looks for one to read, so it names those that are there, and none to create."""
    flow.send([as_connect(row) for row in rows(3)])
    topic = flow.settings.topics.input
    broker, wrong = flow.settings.kafka.brokers, f"{topic}s"
    ran = churnstream("init", "--topic", wrong, "--broker", broker, "-o", tmp_path / "x.yaml")

    assert ran.code == 1
    assert f"no topic {wrong}" in ran.err
    assert topic in ran.err.split("name one that is there")[1]
    assert "topics create" not in ran.err

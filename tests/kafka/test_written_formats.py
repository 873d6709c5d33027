"""Events and predictions that we write in the formats of a schema registry."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.flow import Flow
from chaos.processes import Process
from chaos.records import good_records
from confluent_kafka import Message
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.json_format import MessageToDict
from schema_registry import Registry

from builders import TELCO
from churnstream.codecs.protobuf_values import message_class
from churnstream.codecs.registry_framing import FIRST_MESSAGE, WriterSchema, framed
from churnstream.schema import schema_file

pytest_plugins = ["chaos.fixtures"]

FORMATS = ("avro", "protobuf", "json-schema")
ROWS = 200
COLUMNS = [*TELCO.columns, "Churn"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that lets everybody in."""
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> str:
    """One of the formats."""
    name: str = request.param
    return name


@pytest.fixture
def written(flow: Flow, registry: Registry, form: str, tmp_path: Path) -> Flow:
    """Commands that write that format, events as well as predictions."""
    path = tmp_path / "telco.yaml"
    text = schema_file.TELCO_FILE.read_text(encoding="utf-8")
    path.write_text(f"{text}\nsource: {{format: {form}}}\n", encoding="utf-8")
    flow.environment |= {
        "CHURNSTREAM_CUSTOMERS__SCHEMA_FILE": str(path),
        "CHURNSTREAM_SCHEMA_REGISTRY__URL": registry.url,
        "CHURNSTREAM_TOPICS__OUTPUT_FORMAT": form,
        "CHURNSTREAM_TOPICS__NEWEST": f"{flow.group}.newest",
    }
    flow.run("topics", "create")
    return flow


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Customers in a file."""
    path = tmp_path / "customers.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(json.loads(value) for _, value in good_records(ROWS))
    return path


def run_plain(flow: Flow, *arguments: str) -> str:
    """What a command says that knows no broker."""
    process = Process(flow.folder, arguments[0], *arguments, environment=flow.environment)
    assert process.wait(60) == 0, process.last_words
    return process.output


def reported(flow: Flow) -> int:
    """How many events are scored, as the report has it."""
    flow.run("report", "--summary", str(summary := flow.folder / "summary.json"))
    count: int = json.loads(summary.read_text())["scored"]
    return count


def as_others_read(
    registry: Registry, form: str, topic: str, records: Iterable[Message]
) -> list[dict[str, Any]]:
    """Predictions, Avro by Confluent's own deserializer."""
    context = SerializationContext(topic, MessageField.VALUE)
    with SchemaRegistryClient({"url": registry.url}) as client:
        latest = client.get_latest_version(f"{topic}-value")
        avro = AvroDeserializer(client)
        if form == "avro":
            return [dict(avro(one.value(), context)) for one in records]
    head = framed(latest.schema_id or 0, b"")
    values = [(one.value() or b"").removeprefix(head) for one in records]
    if form == "json-schema":
        return list(map(json.loads, values))
    kind = message_class(WriterSchema("PROTOBUF", latest.schema.schema_str or "", {}))
    return [
        MessageToDict(
            kind.FromString(value.removeprefix(FIRST_MESSAGE)), preserving_proto_field_name=True
        )
        for value in values
    ]


def test_everybody_reads_what_is_written(
    written: Flow, registry: Registry, form: str, rows: Path
) -> None:
    """Confluent's own readers and each command of ours see the same predictions as in JSON."""
    flow = written
    assert flow.produce_file(rows).wait(60) == 0
    flow.run_batch()

    audited = flow.audit()
    assert (audited.complete, audited.events, audited.foreign) == (True, ROWS, 0)
    assert flow.watch.length(flow.dead_letters) == 0
    scores = flow.folder / "scores.csv"
    model, plain = ("--model", str(flow.model)), ("batch-predict", "--input", str(rows), "--output")
    run_plain(flow, *plain, str(scores), *model)
    with scores.open(newline="") as file:
        expected = {
            row["customerID"]: float(row["churn_probability"]) for row in csv.DictReader(file)
        }
    for topic in (flow.output, f"{flow.group}.newest"):
        read = as_others_read(registry, form, topic, flow.watch.read(topic))
        found = {one["customerID"]: one for one in read}
        assert {name: one["churn_probability"] for name, one in found.items()} == expected
        assert all(one["reasons"][0]["text"] for one in found.values())

    assert reported(flow) == ROWS
    exported = flow.folder / "risk.csv"
    flow.run("export", "-o", str(exported), "--threshold", "0")
    with exported.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == ROWS


avro_alone = pytest.mark.parametrize("form", ["avro"], indirect=True)


@avro_alone
def test_schemas_that_are_looked_up_only(
    written: Flow, registry: Registry, form: str, rows: Path
) -> None:
    """Without the right to register, commands say what lacks and what shows it; then they run."""
    flow = written
    failed = flow.start("produce", "--mode", "batch", "--dataset", str(rows), "--no-register")
    assert failed.wait(60) == 2
    assert f"no such schema in {flow.input}-value" in failed.last_words
    kind = {"avro": "AVRO", "protobuf": "PROTOBUF", "json-schema": "JSON"}[form]
    wanted = {"event": [flow.input], "prediction": [flow.output, f"{flow.group}.newest"]}
    with SchemaRegistryClient({"url": registry.url}) as client:
        for record, topics in wanted.items():
            text = run_plain(flow, "schemas", record, "--format", form)
            for topic in topics:
                client.register_schema(f"{topic}-value", Schema(text, kind))

    flow.run("produce", "--mode", "batch", "--dataset", str(rows), "--no-register")
    flow.run_batch("--no-register")
    assert flow.audit().complete


@avro_alone
def test_predictions_change_their_format(written: Flow, registry: Registry, rows: Path) -> None:
    """Readers see all of a topic, whatever its earlier predictions were written in."""
    flow = written
    flow.run("produce", "--mode", "batch", "--dataset", str(rows))
    flow.run_batch("--output-format", "json", "--max-messages", "90")
    flow.run_batch()
    flow.environment["CHURNSTREAM_TOPICS__OUTPUT_FORMAT"] = "json"

    assert (flow.audit().complete, flow.audit().foreign) == (True, 0)
    assert reported(flow) == ROWS
    del flow.environment["CHURNSTREAM_TOPICS__OUTPUT_FORMAT"]
    del flow.environment["CHURNSTREAM_SCHEMA_REGISTRY__URL"]
    flow.environment["CHURNSTREAM_CUSTOMERS__SCHEMA_FILE"] = str(schema_file.TELCO_FILE)
    unread = flow.run("export", "-o", "some.csv").log
    assert unread.count("schema_registry_not_named") == 1
    assert "passed over: 110 records" in unread

"""Events in Avro with a schema registry, which evolves, goes away and comes back."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.flow import SESSION, Flow
from chaos.records import good_records
from chaos.watch import until
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from fastavro import parse_schema, schemaless_writer
from schema_registry import Registry

from churnstream.codecs.registry_framing import framed
from churnstream.schema import schema_file

pytest_plugins = ["chaos.fixtures"]

USER = "scorer:s3cret-word"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry that lets in one user."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with Registry(folder, USER) as registry:
        yield registry


@pytest.fixture
def avro_flow(flow: Flow, registry: Registry, tmp_path: Path) -> Flow:
    """Commands that read Avro from that registry."""
    path = tmp_path / "telco.yaml"
    text = schema_file.TELCO_FILE.read_text(encoding="utf-8")
    path.write_text(f"{text}\nsource: {{format: avro}}\n", encoding="utf-8")
    user, _, password = USER.partition(":")
    flow.environment |= {
        "CHURNSTREAM_CUSTOMERS__SCHEMA_FILE": str(path),
        "CHURNSTREAM_SCHEMA_REGISTRY__URL": registry.url,
        "CHURNSTREAM_SCHEMA_REGISTRY__USER": user,
        "CHURNSTREAM_SCHEMA_REGISTRY__PASSWORD": password,
        "CHURNSTREAM_KAFKA__STARTUP_TIMEOUT": "20",
    }
    return flow


class Sender:
    """Writes good events in Avro, one partition after the other.

    Args:
        more: Fields that the schema has besides.
    """

    def __init__(
        self, flow: Flow, registry: Registry, more: tuple[dict[str, Any], ...] = ()
    ) -> None:
        self._flow, self._events = flow, list(good_records(200))
        example = [json.loads(value) for _, value in self._events]
        fields = [{"name": name, "type": _type(example, name)} for name in example[0]]
        self._schema = {"type": "record", "name": "Customer", "fields": [*fields, *more]}
        self._parsed = parse_schema(self._schema)
        self.schema_id = registered(registry, f"{flow.input}-value", self._schema)

    def send_odd(self) -> None:
        """Write one event whose tenure is below 0."""
        (key, value), *_ = self._events
        stream = io.BytesIO()
        schemaless_writer(stream, self._parsed, json.loads(value) | {"tenure": -5})
        producer = Producer({"bootstrap.servers": self._flow.servers, "log_level": 0})
        producer.produce(self._flow.input, framed(self.schema_id, stream.getvalue()), key)
        assert producer.flush(60) == 0

    def send(self, count: int, partition: int | None = None, schema_id: int | None = None) -> None:
        """Write so many events."""
        producer = Producer({"bootstrap.servers": self._flow.servers, "log_level": 0})
        for number, (key, value) in enumerate(self._events[:count]):
            stream = io.BytesIO()
            schemaless_writer(stream, self._parsed, json.loads(value))
            content = framed(schema_id or self.schema_id, stream.getvalue())
            where = number % 3 if partition is None else partition
            producer.produce(self._flow.input, content, key, partition=where)
        assert producer.flush(60) == 0


def registered(registry: Registry, subject: str, schema: object) -> int:
    """The id of a schema that the registry has from now on."""
    with SchemaRegistryClient({"url": registry.url, "basic.auth.user.info": USER}) as client:
        schema_id: int = client.register_schema(subject, Schema(json.dumps(schema), "AVRO"))
    return schema_id


def _type(events: list[dict[str, Any]], name: str) -> object:
    kinds = {type(event[name]) for event in events}
    names = {str: "string", int: "long", float: "double", type(None): "null"}
    plain = "double" if float in kinds else next(names[k] for k in kinds if k is not type(None))
    return ["null", plain] if type(None) in kinds else plain


def test_a_schema_that_grows_under_a_running_consumer(avro_flow: Flow, registry: Registry) -> None:
    """A field is added with a default: events of both schemas are scored, without a restart."""
    flow = avro_flow
    consumer = flow.consume(0, *SESSION)
    Sender(flow, registry).send(30)
    until(lambda: flow.audit().complete and flow.audit().events == 30, 60, "the first are scored")
    added = {"name": "Loyalty", "type": ["null", "string"], "default": None}
    Sender(flow, registry, (added,)).send(30)
    until(lambda: flow.audit().complete and flow.audit().events == 60, 60, "all are scored")
    consumer.stop()

    assert consumer.code == 0
    assert flow.watch.length(flow.dead_letters) == 0


def test_ids_that_the_registry_does_not_have_are_dead_letters(
    avro_flow: Flow, registry: Registry
) -> None:
    """So is what the schema of another subject does not read; all others are scored."""
    flow = avro_flow
    other = registered(registry, "other-value", "string")
    sender = Sender(flow, registry)
    sender.send(3, schema_id=4_711)
    sender.send(4, schema_id=other)
    sender.send(5)

    flow.run_batch()

    listed = flow.run("dead-letters", "list").output
    assert listed.count("is of schema 4711, which is not in the registry") == 3
    assert listed.count(f"cannot be read by its schema {other}") == 4
    assert flow.audit().complete


def test_dead_letters_are_bytes_and_shown_as_json(avro_flow: Flow, registry: Registry) -> None:
    """They are written as they came, and listed so that people can read them."""
    flow = avro_flow
    Sender(flow, registry).send_odd()
    flow.run_batch()

    (shown,) = map(json.loads, flow.run("dead-letters", "list", "--json").output.splitlines())
    assert json.loads(shown["value"])["tenure"] == -5
    registry.kill()
    flow.environment["CHURNSTREAM_KAFKA__STARTUP_TIMEOUT"] = "1"
    listed = flow.run("dead-letters", "list", "--json")
    assert json.loads(listed.output)["value"].startswith("\0\0\0\0")
    assert "values are shown as they are" in listed.log


def test_a_registry_that_goes_away(avro_flow: Flow, registry: Registry) -> None:
    """Schemas that are known go on, a new one waits in its partition; nothing is a dead letter."""
    flow = avro_flow
    first = Sender(flow, registry)
    second = Sender(flow, registry, ({"name": "x", "type": "long", "default": 0},))
    consumer = flow.consume(0, *SESSION)
    first.send(30)
    until(lambda: flow.audit().complete, 60, "the first are scored")

    registry.kill()
    second_events = 10
    first.send(6, partition=0)
    second.send(second_events, partition=2)
    first.send(9, partition=1)
    until(lambda: flow.watch.length(flow.output) >= 30 + 15, 60, "the known ones are scored")
    time.sleep(3)
    assert "schema_registry_unavailable" in consumer.log
    assert consumer.log.count("schema_registry_unavailable") == 1
    assert flow.watch.length(flow.dead_letters) == 0
    assert flow.watch.lag(flow.group, flow.input) >= second_events

    registry.start()
    until(lambda: flow.watch.lag(flow.group, flow.input) == 0, 60, "all are scored")
    consumer.stop()
    verdict = flow.audit()
    assert (verdict.complete, verdict.events) == (True, 30 + 15 + second_events)
    assert flow.watch.length(flow.dead_letters) == 0
    assert "schema_registry_reachable_again" in consumer.log


def test_a_registry_that_comes_later(avro_flow: Flow, registry: Registry) -> None:
    """A consumer that starts before its registry waits for it."""
    flow = avro_flow
    Sender(flow, registry).send(5)
    registry.kill()
    consumer = flow.consume(0, *SESSION)
    time.sleep(4)
    assert "consumer_started" not in consumer.log
    registry.start()
    until(lambda: flow.is_scored, 60, "all is scored")
    consumer.stop()

    assert consumer.code == 0
    assert flow.audit().complete


def test_a_wrong_password_ends_in_one_line(avro_flow: Flow, registry: Registry) -> None:
    """It says who rejects us, and repeats no secret."""
    avro_flow.environment["CHURNSTREAM_SCHEMA_REGISTRY__PASSWORD"] = "wr0ng-word"
    failed = avro_flow.start("consume", "--model", str(avro_flow.model))
    assert failed.wait(60) == 2
    assert registry.url in failed.last_words
    assert "401" in failed.last_words
    assert "wr0ng-word" not in failed.log


def test_no_registry_is_named(avro_flow: Flow) -> None:
    """It says how to name one."""
    del avro_flow.environment["CHURNSTREAM_SCHEMA_REGISTRY__URL"]
    failed = avro_flow.start("consume", "--model", str(avro_flow.model))
    assert failed.wait(60) == 2
    assert "--schema-registry" in failed.last_words

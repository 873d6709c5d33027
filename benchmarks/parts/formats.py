"""The same customers as plain JSON, as changes of Debezium, and both in Avro with a registry."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
from confluent_kafka.schema_registry import Schema as Registered
from confluent_kafka.schema_registry import SchemaRegistryClient
from fastavro import parse_schema, schemaless_writer
from schema_registry import Registry

from benchmarks.bench import Bench
from benchmarks.customers import train_on
from benchmarks.events import SCHEMA, SIZE, create_topic, delete_topics, fill, of_size
from benchmarks.parts.throughput import OURS, one
from benchmarks.rounds import Line, Run, rounds, say
from churnstream.codecs.customer_rows import open_rows
from churnstream.codecs.event_encoder import EncodedEvents
from churnstream.codecs.registry_framing import framed
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import EventSource

_BUNDLED = 7_000
_COMMIT = 1_767_323_045_000  # milliseconds since 1970
_BLOCK = {"version": "3.6.1.Final", "connector": "postgresql", "name": "shop", "db": "shop"}
_BLOCK |= {"schema": "public", "table": "customers"}
_NAMES = {str: "string", int: "long", float: "double", bool: "boolean"}

Customer = dict[str, Any]


class Format(NamedTuple):
    """How customers are written.

    Attributes:
        source: What the schema says of it; None for our own events.
        of: Takes a customer; what an event holds.
        avro: The schema that it is written with; None for JSON.
    """

    name: str
    source: EventSource | None
    of: Callable[[Customer], Any]
    avro: Any = None


def run(bench: Bench) -> list[Line]:
    """All of them in turn, exactly once where the broker can."""
    events = of_size(SIZE)
    customers = [msgspec.json.decode(value) for value in events.values]
    rows = next(open_rows(None, SCHEMA).batches(_BUNDLED))
    delivery = "exactly-once" if bench.broker.kind == "kafka" else "at-least-once"
    contestants: dict[str, Run] = {}
    with ExitStack() as stack:
        registry = stack.enter_context(Registry(bench.folder))
        for format_ in _formats(customers):
            write = _writer(format_, registry.url)
            values = [write(format_.of(customer)) for customer in customers]
            topic = create_topic(bench.broker, "in")
            stack.callback(delete_topics, bench.broker, [topic])
            size = sum(map(len, values)) / len(values)
            say(f"{format_.name}: filling a topic with {bench.stock:,} events of {size:.0f} bytes")
            fill(bench.broker, topic, EncodedEvents(events.keys, values), bench.stock)
            schema = msgspec.structs.replace(SCHEMA, source=format_.source)
            model = str(train_on(schema, rows, bench.folder / format_.name, "sum"))
            more = {"model": model, "registry": registry.url, "delivery": delivery}
            contestants[format_.name] = partial(one, bench, topic, OURS, **more)
        return rounds(contestants, bench.repeats)


def _formats(customers: list[Customer]) -> list[Format]:
    own = _record("Customer", [_field(name, customers) for name in customers[0]])
    return [
        Format("plain JSON", None, lambda customer: customer),
        Format("Debezium, JSON", EventSource(envelope="debezium"), _change),
        Format("Avro", EventSource(format="avro"), lambda customer: customer, own),
        Format(
            "Debezium, Avro",
            EventSource(format="avro", envelope="debezium"),
            _change,
            _envelope(own),
        ),
    ]


def _change(customer: Customer) -> Any:
    """A row inserted."""
    row = {name: value for name, value in customer.items() if name != EVENT_TS}
    block = {**_BLOCK, "ts_ms": _COMMIT, "lsn": 24_023_128}
    return {"before": None, "after": row, "source": block, "op": "c", "ts_ms": _COMMIT + 40}


def _envelope(customer: Any) -> Any:
    """The schema of a change."""
    row = _record("Value", [f for f in customer["fields"] if f["name"] != EVENT_TS])
    maybe = ["null", "long"]
    block: list[Any] = [{"name": name, "type": "string"} for name in _BLOCK]
    block += [{"name": "ts_ms", "type": "long"}, {"name": "lsn", "type": maybe}]
    return _record(
        "Envelope",
        [
            {"name": "before", "type": ["null", row]},
            {"name": "after", "type": ["null", "Value"]},
            {"name": "source", "type": _record("Source", block)},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": maybe},
        ],
    )


def _record(name: str, fields: list[Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": fields}


def _field(name: str, customers: list[Customer]) -> dict[str, Any]:
    """A field of the type that its values have."""
    kinds = {type(customer[name]) for customer in customers}
    known = float if float in kinds else next(kind for kind in kinds if kind in _NAMES)
    written = _NAMES[known]
    return {"name": name, "type": ["null", written] if type(None) in kinds else written}


def _writer(format_: Format, url: str) -> Callable[[Any], bytes]:
    """What makes bytes of an event."""
    if format_.avro is None:
        return msgspec.json.encode
    schema = parse_schema(format_.avro)
    text = msgspec.json.encode(format_.avro).decode()
    with SchemaRegistryClient({"url": url}) as client:
        number = client.register_schema(f"{format_.name}-value", Registered(text, "AVRO"))

    def write(event: Any) -> bytes:
        stream = BytesIO()
        schemaless_writer(stream, schema, event)
        return framed(number, stream.getvalue())

    return write

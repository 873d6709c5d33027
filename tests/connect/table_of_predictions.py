"""What the sink has written, held against the topics and what the model says of each row."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import msgspec
from chaos.flow import Flow
from chaos.processes import Process
from chaos.watch import Position, until
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from connect_worker import CONNECTORS, Connector
from postgres import Postgres
from schema_registry import Registry

_WITHIN = 120  # seconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TOMBSTONE = "tombstone"


class Tables(NamedTuple):
    """The rows of customers and of predictions.

    Attributes:
        id: The column that names a customer in both.
    """

    database: Postgres
    customers: str
    predictions: str
    id: str

    @property
    def joined(self) -> str:
        """Both, where there is a prediction of a customer who is there."""
        return f'{self.customers} join {self.predictions} on {self.predictions}."{self.id}" = ' + (
            f'{self.customers}."{self.id}"::text'
        )

    def connector(self, name: str, schema: str, **more: str) -> Connector:
        """A shipped connector, edited as the guide says: names of schema, table and id.

        Args:
            more: What its configuration has besides.
        """
        text = (CONNECTORS / f"{name}.json").read_text()
        for old, new in {
            "telco": schema,
            "customerID": self.id,
            "public.customers": f"public.{self.customers}",
            "churn_predictions": self.predictions,
        }.items():
            text = text.replace(old, new)
        found: dict[str, Any] = json.loads(text)
        found["config"] |= more
        return found

    def wait_written(self, newest: dict[str, Position]) -> None:
        """Wait until each customer who is there has the prediction of the newest event."""
        until(lambda: self.positions() == newest, _WITHIN, "the sink has written the newest")

    def unlike_the_model(self, flow: Flow) -> list[list[str]]:
        """Customers whose prediction is missing, or is not what the model says of their row now."""
        rows, scored = flow.folder / "rows-now.csv", flow.folder / "scored.csv"
        rows.write_text(self.database.run(f"select * from {self.customers}"))
        names = ("--input", str(rows), "--output", str(scored), "--model", str(flow.model))
        process = Process(flow.folder, "batch-predict", "batch-predict", *names, environment={})
        assert process.wait(60) == 0, process.last_words
        header = next(csv.reader(scored.read_text().splitlines()))
        columns = ", ".join(f'"{name}" text' for name in header)
        self.database.run(
            f"drop table if exists expected; create table expected ({columns});"
            "copy expected from stdin with (format csv, header)",
            scored.read_text(),
        )
        return self.database.table(
            f"""select e."{self.id}", e.churn_probability, p.churn_probability
            from expected e left join {self.predictions} p using ("{self.id}")
            where coalesce(abs(e.churn_probability::float8 - p.churn_probability) > 1e-12
                           or e.prediction <> p.prediction, true)"""
        )

    def times(self) -> dict[Position, int]:
        """By event when its prediction was made, in microseconds since 1970."""
        micros = "(extract(epoch from processed_ts) * 1000000)::bigint"
        query = f"select source_partition, source_offset, {micros} from {self.predictions}"
        rows = [map(int, row) for row in self.database.table(query)]
        return {Position(partition, offset): time for partition, offset, time in rows}

    def types(self) -> dict[str, str]:
        """Of the columns of predictions."""
        where = f"where table_name = '{self.predictions}'"
        query = f"select column_name, data_type from information_schema.columns {where}"
        return dict(self.database.table(query))

    def positions(self) -> dict[str, Position]:
        """Of which event each living customer's prediction speaks."""
        key, at = f'{self.predictions}."{self.id}"', "source_partition, source_offset"
        rows = self.database.table(f"select {key}, {at} from {self.joined}")
        return {name: Position(int(partition), int(offset)) for name, partition, offset in rows}


class ChangesOfRows(NamedTuple):
    """What the source has written.

    Attributes:
        counts: How many changes of each operation there are, and tombstones.
        newest: By customer who is still there, where the newest change of the row is.
    """

    counts: Counter[str]
    newest: dict[str, Position]

    @classmethod
    def of(cls, flow: Flow, registry: Registry) -> ChangesOfRows:
        """All that the topic has, in JSON or in Avro."""
        with SchemaRegistryClient({"url": registry.url}) as client:
            return cls._found(flow, _Contents(AvroDeserializer(client), flow.input))

    @classmethod
    def _found(cls, flow: Flow, content_of: _Contents) -> ChangesOfRows:
        counts: Counter[str] = Counter()
        newest: dict[str, Position] = {}
        for record in flow.watch.read(flow.input):
            value, name = record.value(), content_of.key(record.key() or b"")
            operation = content_of.change(value)["op"] if value else TOMBSTONE
            counts[operation] += 1
            if operation in ("d", TOMBSTONE):
                newest.pop(name, None)
            else:
                newest[name] = Position(record.partition() or 0, record.offset() or 0)
        return cls(counts, newest)


def times_in_topic(flow: Flow, registry: Registry) -> dict[Position, int]:
    """The same as `Tables.times`, of all predictions in the topic, in JSON or in Avro."""
    with SchemaRegistryClient({"url": registry.url}) as client:
        content_of = _Contents(AvroDeserializer(client), flow.output)
        found = [content_of.value(record.value() or b"") for record in flow.watch.read(flow.output)]
    return {
        Position(one["source_partition"], one["source_offset"]): _micros(one["processed_ts"])
        for one in found
    }


def _micros(time: datetime | str) -> int:
    at = datetime.fromisoformat(time) if isinstance(time, str) else time
    return (at - _EPOCH) // timedelta(microseconds=1)


class _Contents(NamedTuple):
    """Reads records without any code of the product."""

    avro: AvroDeserializer
    topic: str

    def key(self, raw: bytes) -> str:
        """A customer's id."""
        return str(self._read(raw, MessageField.KEY)) if raw[:1] == b"\0" else raw.decode()

    def value(self, raw: bytes) -> dict[str, Any]:
        """All of a record."""
        is_framed = raw[:1] == b"\0"
        found = self._read(raw, MessageField.VALUE) if is_framed else msgspec.json.decode(raw)
        return cast("dict[str, Any]", found)

    def change(self, raw: bytes) -> dict[str, Any]:
        """What Debezium says of a row."""
        change = self.value(raw)
        return cast("dict[str, Any]", change.get("payload", change))

    def _read(self, raw: bytes, part: MessageField) -> object:
        return self.avro(raw, SerializationContext(self.topic, part))

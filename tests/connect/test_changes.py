"""From a table of customers to a table of predictions: every change counts once, whoever dies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import customers_table
import pytest
from chaos.customers import Customers, customers_of
from chaos.flow import SESSION, Flow, train
from chaos.watch import until
from cluster import Cluster
from connect_worker import Connect, in_avro, sink_in_avro
from postgres import Postgres
from schema_registry import Registry
from table_of_predictions import TOMBSTONE, ChangesOfRows, Tables, times_in_topic

EVERYBODY = customers_table.size()
AT_FIRST = 3_000  # customers, before the source starts
STEPS = 50
INSERTED = -(-(EVERYBODY - AT_FIRST) // STEPS)  # customers with each step
UPDATED, DELETED = 1_000, 50
PAUSE = 1.2  # seconds after each step, so that who is killed is killed in between
WITHIN = 120
FIRST_BYTE = {"json": b"{", "avro": b"\0"}  # of a prediction
TYPES = {
    "customerID": "text",
    "churn_probability": "double precision",
    "prediction": "text",
    "model_version": "text",
    "source_offset": "bigint",
}
OWN_TYPES = {
    "json": {
        "event_ts": "timestamp with time zone",
        "processed_ts": "timestamp with time zone",
        "source_partition": "integer",
    },
    "avro": {
        "event_ts": "timestamp without time zone",
        "processed_ts": "timestamp without time zone",
        "source_partition": "bigint",
    },
}
UNAVAILABLE = "schema_registry_unavailable"


class Way(NamedTuple):
    """From the table of customers to a table of predictions of its own.

    Attributes:
        form: Of changes and predictions: "json", by the connectors as shipped, or "avro".
        schema: After which connectors and topics are named.
    """

    form: str
    schema: str
    flow: Flow
    tables: Tables

    def connect(self, worker: Connect, registry: Registry) -> None:
        """Start source and sink."""
        source = self.tables.connector("customers-source", self.schema)
        sink = self.tables.connector("predictions-sink", self.schema)
        if self.form == "avro":
            source = in_avro(source, registry.url, "key", "value")
            sink = sink_in_avro(sink, registry.url)
        worker.add(source)
        worker.add(sink)

    def predictions(self) -> Counter[bytes]:
        """How many predictions begin with which byte."""
        return Counter((one.value() or b"")[:1] for one in self.flow.watch.read(self.flow.output))

    def wait_up_to_date(self, customers: int) -> None:
        """Wait until so many customers have the prediction of their row as it is."""

        def are_up_to_date() -> bool:
            names = self.tables.database, self.tables.predictions
            return customers_table.up_to_date(*names) >= customers

        until(are_up_to_date, WITHIN, f"{customers} predictions are up to date in {self.form}")

    def wait_scored(self) -> None:
        """Wait until every event has its outcome."""
        until(lambda: self.flow.is_scored, WITHIN, f"every event in {self.form} is scored")


@pytest.fixture
def ways(
    cluster: Cluster, database: Postgres, registry: Registry, tmp_path: Path
) -> Iterator[list[Way]]:
    """One in each form, with a model of the bundled customers."""
    names = {"json": ("telco", "churn_predictions"), "avro": ("bank", "bank_predictions")}
    model: Path | None = None
    with ExitStack() as flows:
        found = []
        for form, (schema, predictions) in names.items():
            customers = _customers(tmp_path / f"{form}.yaml", form)
            model = model or train(tmp_path, customers)
            flow = Flow(
                cluster.bootstrap_servers,
                f"{schema}-churn",
                folder=tmp_path / form,
                model=model,
                customers=customers,
            )
            flow.environment["CHURNSTREAM_SCHEMA_REGISTRY__URL"] = registry.url
            flow.environment["CHURNSTREAM_TOPICS__OUTPUT_FORMAT"] = form
            flow.input, flow.output = f"{schema}.raw.customers", f"{schema}.churn.predictions"
            tables = Tables(database, "customers", predictions, "customerID")
            found.append(Way(form, schema, flows.enter_context(flow), tables))
        yield found


def _customers(path: Path, form: str) -> Customers:
    """The bundled customers, whose changes come in this form."""
    origin = f"file: {{path: {customers_table.BUNDLED}}}\n"
    path.write_text(customers_table.schema(form) + origin)
    return customers_of(path)


class Changes(Thread):
    """Inserts, updates and deletes rows, step by step.

    Attributes:
        hurry: Set when there is nothing more to wait for after a step.
    """

    def __init__(self, database: Postgres) -> None:
        super().__init__(daemon=True)
        self._database, self.hurry = database, Event()

    def run(self) -> None:
        """In the end all are inserted, and of those who were there before some changed or left."""
        updated, deleted = UPDATED // STEPS, DELETED // STEPS
        for step in range(STEPS):
            first = AT_FIRST + INSERTED * step
            customers_table.insert(self._database, first, first + INSERTED)
            customers_table.change(self._database, step * updated, (step + 1) * updated)
            gone = UPDATED + step * deleted
            customers_table.delete(self._database, gone, gone + deleted)
            self.hurry.wait(PAUSE)


def test_every_change_of_a_row_counts_once(
    database: Postgres, cluster: Cluster, worker: Connect, registry: Registry, ways: list[Way]
) -> None:
    """All is killed meanwhile; in JSON and in Avro, events, audit and both tables agree."""
    customers_table.create(database)
    customers_table.insert(database, 0, AT_FIRST)
    for way in ways:
        way.connect(worker, registry)
    changes = Changes(database)
    consumers = {way.form: way.flow.consume(0, *SESSION) for way in ways}
    changes.start()
    wait_up_to_date(ways, AT_FIRST // 2)
    registry.kill()
    assert all(consumer.kill() for consumer in consumers.values())
    consumers = {way.form: way.flow.consume(0, *SESSION) for way in ways}
    until(lambda: UNAVAILABLE in consumers["avro"].log, WITHIN, "the registry is missed")
    registry.start()
    wait_up_to_date(ways, AT_FIRST)
    worker.kill()
    worker.start()
    wait_up_to_date(ways, AT_FIRST + 1_000)
    cluster.kill(1)
    cluster.restart(1)
    assert changes.is_alive()  # or else not all was killed meanwhile
    changes.hurry.set()
    changes.join()
    wait_up_to_date(ways, EVERYBODY - DELETED)
    for way in ways:
        way.wait_scored()
        consumers[way.form].stop()
        assert_counted_once(way, registry)


def wait_up_to_date(ways: list[Way], customers: int) -> None:
    """Wait until so many customers have the prediction of their row as it is, in each form."""
    for way in ways:
        way.wait_up_to_date(customers)


def assert_counted_once(way: Way, registry: Registry) -> None:
    """Each change is one event, which has one outcome; the newest is in the table."""
    found = ChangesOfRows.of(way.flow, registry)
    assert found.counts == {
        "r": AT_FIRST,
        "c": EVERYBODY - AT_FIRST,
        "u": UPDATED,
        "d": DELETED,
        TOMBSTONE: DELETED,
    }
    verdict = way.flow.audit()
    assert verdict.complete
    assert verdict.events == found.counts.total()
    assert way.predictions() == {FIRST_BYTE[way.form]: EVERYBODY + UPDATED}
    way.tables.wait_written(found.newest)
    assert way.tables.unlike_the_model(way.flow) == []
    predictions = f"select count(*) from {way.tables.predictions}"
    assert way.tables.database.number(predictions) == EVERYBODY
    assert way.tables.times().items() <= times_in_topic(way.flow, registry).items()
    assert way.tables.types() == TYPES | OWN_TYPES[way.form]

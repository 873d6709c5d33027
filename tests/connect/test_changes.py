"""From a table of customers to a table of predictions: every change counts once, whoever dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import customers_table
import pytest
from chaos.customers import customers_of
from chaos.flow import SESSION, Flow, train
from chaos.watch import until
from cluster import Cluster
from connect_worker import Connect, connector
from postgres import Postgres
from table_of_predictions import TOMBSTONE, ChangesOfRows, Tables

EVERYBODY = customers_table.size()
AT_FIRST = 3_000  # customers, before the source starts
STEPS = 50
INSERTED = -(-(EVERYBODY - AT_FIRST) // STEPS)  # customers with each step
UPDATED, DELETED = 1_000, 50
PAUSE = 0.6  # seconds after each step, so that who is killed is killed in between
WITHIN = 120


@pytest.fixture
def flow(cluster: Cluster, tmp_path: Path) -> Iterator[Flow]:
    """The topics that the shipped connectors name, and a model of the bundled customers."""
    schema_file = tmp_path / "telco.yaml"
    origin = f"file: {{path: {customers_table.BUNDLED}}}\n"
    schema_file.write_text(customers_table.schema() + origin)
    customers = customers_of(schema_file)
    flow = Flow(
        cluster.bootstrap_servers,
        "telco-churn",
        folder=tmp_path / "flow",
        model=train(tmp_path, customers),
        customers=customers,
    )
    flow.input, flow.output = "telco.raw.customers", "telco.churn.predictions"
    with flow:
        yield flow


class Changes(Thread):
    """Inserts, updates and deletes rows, step by step."""

    def __init__(self, database: Postgres) -> None:
        super().__init__(daemon=True)
        self._database = database

    def run(self) -> None:
        """In the end all are inserted, and of those who were there before some changed or left."""
        updated, deleted = UPDATED // STEPS, DELETED // STEPS
        for step in range(STEPS):
            first = AT_FIRST + INSERTED * step
            customers_table.insert(self._database, first, first + INSERTED)
            customers_table.change(self._database, step * updated, (step + 1) * updated)
            gone = UPDATED + step * deleted
            customers_table.delete(self._database, gone, gone + deleted)
            time.sleep(PAUSE)


def wait_up_to_date(database: Postgres, customers: int) -> None:
    """Wait until so many customers have the prediction of their row as it is."""
    what = f"{customers} predictions are up to date"
    until(lambda: customers_table.up_to_date(database) >= customers, WITHIN, what)


def test_every_change_of_a_row_counts_once(
    database: Postgres, cluster: Cluster, worker: Connect, flow: Flow
) -> None:
    """Consumer, Connect and broker are killed meanwhile; events, audit and both tables agree."""
    customers_table.create(database)
    customers_table.insert(database, 0, AT_FIRST)
    worker.add(connector("customers-source"))
    worker.add(connector("predictions-sink"))
    consumer = flow.consume(0, *SESSION)
    changes = Changes(database)
    changes.start()
    wait_up_to_date(database, AT_FIRST // 2)
    assert consumer.kill()
    consumer = flow.consume(0, *SESSION)
    wait_up_to_date(database, AT_FIRST)
    worker.kill()
    worker.start()
    wait_up_to_date(database, AT_FIRST + 1_000)
    cluster.kill(1)
    cluster.restart(1)
    assert changes.is_alive()  # or else not all was killed meanwhile
    changes.join()
    wait_up_to_date(database, EVERYBODY - DELETED)
    until(lambda: flow.is_scored, WITHIN, "every event is scored")
    consumer.stop()

    found = ChangesOfRows.of(flow)
    assert found.counts == {
        "r": AT_FIRST,
        "c": EVERYBODY - AT_FIRST,
        "u": UPDATED,
        "d": DELETED,
        TOMBSTONE: DELETED,
    }
    verdict = flow.audit()
    assert verdict.complete
    assert verdict.events == found.counts.total()
    assert len(flow.answers()) == EVERYBODY + UPDATED
    tables = Tables(database, "customers", "churn_predictions", "customerID")
    tables.wait_written(found.newest)
    assert tables.unlike_the_model(flow) == []
    assert database.number("select count(*) from churn_predictions") == EVERYBODY

"""From a table of customers to a table of predictions, on servers that end with it.

Rows in PostgreSQL → Debezium → churnstream → Debezium's JDBC sink → rows in PostgreSQL, with the
connectors as deploy/connect/ has them. With --format avro, changes and predictions are in Avro.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import customers_table
from cluster import Cluster
from connect_worker import Connect, Connector, connector, in_avro, sink_in_avro
from jvm import ClusterError, complaint, kafka_version
from postgres import Postgres
from schema_registry import Registry

COMMAND = Path(sys.executable).with_name("churnstream")
AT_FIRST, CHANGED, DELETED = 5_000, 500, 20  # customers
_WITHIN = 120  # seconds until all of it has come through

_AT_RISK = """
select "Contract",
       count(*) as customers,
       count(*) filter (where prediction = 'Yes') as likely_to_leave,
       round(sum("MonthlyCharges") filter (where prediction = 'Yes')) as at_risk_a_month
from customers join churn_predictions using ("customerID")
group by 1 order by 3 desc"""


class Flow:
    """Runs commands of churnstream in a folder of their own.

    Args:
        servers: The brokers.
        registry: Of the schemas of changes and predictions in Avro; None: they are in JSON.
    """

    def __init__(self, folder: Path, servers: str, registry: Registry | None) -> None:
        self._folder, self._registry = folder, registry
        self.format = "avro" if registry else "json"
        (folder / "customers.yaml").write_text(customers_table.schema(self.format))
        self._environment = os.environ | {"CHURNSTREAM_KAFKA__BROKERS": servers}
        if registry:
            self._environment["CHURNSTREAM_SCHEMA_REGISTRY__URL"] = registry.url
            self._environment["CHURNSTREAM_TOPICS__OUTPUT_FORMAT"] = self.format

    def run(self, *arguments: str) -> str:
        """Run a command to its end; what it printed.

        Raises:
            ClusterError: It failed.
        """
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = complaint(done.stderr or done.stdout)
            raise ClusterError(f"churnstream {' '.join(arguments)}: {said}")
        return done.stdout

    @contextmanager
    def consumer(self) -> Iterator[None]:
        """Score meanwhile."""
        with (self._folder / "consume.log").open("wb") as log:
            process = subprocess.Popen(
                [COMMAND, "consume"],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()

    @property
    def source(self) -> Connector:
        """What writes the changes."""
        shipped = connector("customers-source")
        return in_avro(shipped, self._registry.url, "value") if self._registry else shipped

    @property
    def sink(self) -> Connector:
        """What writes predictions into their table."""
        shipped = connector("predictions-sink")
        return sink_in_avro(shipped, self._registry.url) if self._registry else shipped

    @property
    def is_accounted_for(self) -> bool:
        """Whether every event has its outcome."""
        try:
            self.run("audit")
        except ClusterError:
            return False
        return True


def main() -> int:
    """Run it; a fault is one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=("json", "avro"), default="json", help="of records")
    form = parser.parse_args().format
    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
            _run(Path(folder), servers, form)
    except ClusterError as error:
        print(f"demo-cdc: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(folder: Path, servers: ExitStack, form: str) -> None:
    began = time.monotonic()
    registry = servers.enter_context(Registry(folder)) if form == "avro" else None
    database = servers.enter_context(Postgres())
    cluster = servers.enter_context(Cluster())
    brokers = cluster.bootstrap_servers
    worker = servers.enter_context(Connect(brokers, environment=database.environment))
    flow = Flow(folder, brokers, registry)
    flow.run("topics", "create")
    _tell(
        f"PostgreSQL {database.version}, Apache Kafka {kafka_version()} and Kafka Connect run",
        began,
    )
    began = time.monotonic()
    flow.run("train", "--dataset", str(customers_table.BUNDLED))
    _tell(f"model trained with `{customers_table.source(form)}` in its schema", began)
    _work(database, worker, flow)
    print(f"\n{database.run(_AT_RISK, layout='aligned')}")
    print(flow.run("audit"))


def _work(database: Postgres, worker: Connect, flow: Flow) -> None:
    """Change the table, and wait until the other one has followed."""
    began = time.monotonic()
    everybody = customers_table.size()
    customers_table.create(database)
    customers_table.insert(database, 0, AT_FIRST)
    with flow.consumer():
        worker.add(flow.source)
        worker.add(flow.sink)
        _tell(f"connectors run; {AT_FIRST:,} customers were there before", began)
        began = time.monotonic()
        customers_table.insert(database, AT_FIRST, everybody)
        customers_table.delete(database, 0, DELETED)
        customers_table.change(database, DELETED, DELETED + CHANGED)
        living = everybody - DELETED
        _wait(lambda: customers_table.up_to_date(database) == living, "the newest predictions")
        _tell(
            f"{everybody - AT_FIRST:,} inserted, {DELETED} deleted, {CHANGED} changed; the newest"
            f" prediction of each of {living:,} customers is in churn_predictions",
            began,
        )
        _wait(lambda: flow.is_accounted_for, "an outcome of every event")


def _wait(met: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WITHIN
    while not met():
        if time.monotonic() > deadline:
            raise ClusterError(f"after {_WITHIN} s there is still no {what}")
        time.sleep(0.2)


def _tell(what: str, began: float) -> None:
    print(f"✓ {what} ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())

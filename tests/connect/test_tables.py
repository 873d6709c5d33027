"""A table of another shape, with types as PostgreSQL has them, in each form of a source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from chaos.customers import Customers, customers_of
from chaos.flow import Flow, train
from chaos.processes import Process
from chaos.watch import until
from cluster import Cluster
from connect_worker import CONNECTORS, Connect, Connector
from postgres import Postgres
from table_of_predictions import TOMBSTONE, ChangesOfRows, Tables

ROWS, UPDATED, DELETED = 600, 20, 3
WITHIN = 60

# What a source's configuration has beside that of the shipped file.
FORMS: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "described": {"value.converter.schemas.enable": "true", "decimal.handling.mode": "precise"},
    "texts": {"decimal.handling.mode": "string", "time.precision.mode": "isostring"},
    "connect": {
        "value.converter.schemas.enable": "true",
        "value.converter.decimal.format": "NUMERIC",
        "decimal.handling.mode": "precise",
        "time.precision.mode": "connect",
    },
}

_TABLE = """create table accounts (
    customer_id bigint primary key,
    age smallint not null,
    country varchar(20),
    balance numeric(12, 2) default 17,
    rate numeric,
    score real,
    has_card boolean not null,
    since date,
    last_seen timestamp,
    renewed timestamptz,
    exited integer
)"""
_ROWS = f"""insert into accounts select
    15000000 + n, 18 + n * 37 % 70, (array['France', 'Spain', 'Germany'])[1 + n % 3],
    case when n % 7 > 0 then n * 7919 % 1000000 / 100.0 - 100 end, n * 31 % 997 / 7.0,
    n % 50 / 3.0, n % 2 = 0, date '2015-01-01' + n * 13 % 3000,
    timestamp '2025-01-01 00:00:00.123456' + n % 300 * interval '1 day 7 hours',
    timestamptz '2024-01-01 12:00:00Z' + n % 200 * interval '1 day',
    (n * 37 % 70 + n * 31 % 40 > 60)::int
from generate_series(1, {ROWS}) n"""


class Bank(NamedTuple):
    """Customers of a schema that `init` found in an extract of their table, and their model."""

    customers: Customers
    model: Path


@pytest.fixture(scope="session")
def bank(database: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A table `accounts`, and a model of it."""
    database.run(f"{_TABLE}; {_ROWS}")
    folder = tmp_path_factory.mktemp("bank")
    (folder / "bank.csv").write_text(database.run("select * from accounts"))
    init = Process(folder, "init", "init", "bank.csv", "--label", "exited=1", environment={})
    assert init.wait(60) == 0, init.last_words
    with (folder / "customers.yaml").open("a") as schema:
        schema.write("source: {envelope: debezium}\n")
    customers = customers_of(folder / "customers.yaml")
    return Bank(customers, train(folder, customers))


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """How the source writes its events."""
    name: str = request.param
    return name


@pytest.fixture
def tables(bank: Bank, database: Postgres, form: str) -> Tables:
    """The customers in a table of their own, and where their predictions will be."""
    found = Tables(database, f"accounts_{form}", f"predictions_{form}", bank.customers.schema.id)
    database.run(
        f"create table {found.customers} (like accounts including all);"
        f"insert into {found.customers} select * from accounts"
    )
    return found


@pytest.fixture
def flow(cluster: Cluster, bank: Bank, form: str, tmp_path: Path) -> Iterator[Flow]:
    """Topics as the edited connectors name them."""
    flow = Flow(
        cluster.bootstrap_servers,
        form,
        folder=tmp_path / "flow",
        model=bank.model,
        customers=bank.customers,
    )
    flow.input, flow.output = f"{form}.raw.customers", f"{form}.churn.predictions"
    with flow:
        yield flow


def edited(name: str, tables: Tables, form: str, **more: str) -> Connector:
    """A shipped connector, edited as the guide says: names of schema, table and id."""
    text = (CONNECTORS / f"{name}.json").read_text()
    for old, new in {
        "telco": form,
        "customerID": tables.id,
        "public.customers": f"public.{tables.customers}",
        "churn_predictions": tables.predictions,
    }.items():
        text = text.replace(old, new)
    found: dict[str, Any] = json.loads(text)
    found["config"] |= more
    return found


def test_every_type_of_column_in_every_form(
    tables: Tables, flow: Flow, worker: Connect, form: str
) -> None:
    """What the model says of a row in a file it says of the row's change, whatever its form."""
    worker.add(edited("customers-source", tables, form, **FORMS[form]))
    worker.add(edited("predictions-sink", tables, form))
    wait_arrived(flow, ROWS)
    some = f"where {tables.id} in (select {tables.id} from {tables.customers} order by 1 limit"
    tables.database.run(f"delete from {tables.customers} {some} {DELETED})")
    tables.database.run(f"update {tables.customers} set age = age + 1 {some} {UPDATED})")
    wait_arrived(flow, ROWS + UPDATED + 2 * DELETED)
    flow.run_batch()

    found = ChangesOfRows.of(flow)
    assert found.counts == {"r": ROWS, "u": UPDATED, "d": DELETED, TOMBSTONE: DELETED}
    assert flow.audit().complete
    assert rejections(flow) == set()
    assert len(flow.answers()) == ROWS + UPDATED
    tables.wait_written(found.newest)
    assert tables.unlike_the_model(flow) == []


def wait_arrived(flow: Flow, records: int) -> None:
    """Wait until the source has written so many."""

    def arrived() -> bool:
        return ChangesOfRows.of(flow).counts.total() >= records

    until(arrived, WITHIN, f"{records} records")


def rejections(flow: Flow) -> set[str]:
    """What was wrong with events, each once."""
    headers = [dict(record.headers() or []) for record in flow.watch.read(flow.dead_letters)]
    return {str(header["__connect.errors.exception.message"]) for header in headers}

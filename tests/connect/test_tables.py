"""A table of another shape, with types as PostgreSQL has them, in each form of a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import customers_table
import pytest
from chaos.customers import Customers, customers_of
from chaos.flow import Flow, train
from chaos.processes import Process
from chaos.watch import until
from cluster import Cluster
from connect_worker import Connect, in_avro
from postgres import Postgres
from schema_registry import Registry
from table_of_predictions import TOMBSTONE, ChangesOfRows, Tables

ROWS, UPDATED, DELETED = 600, 20, 3
WITHIN = 60


class Form(NamedTuple):
    """How a source writes changes.

    Attributes:
        config: What its configuration has beside that of the shipped file.
        in_avro: Which parts of a record are in Avro: "value", "key".
    """

    config: Mapping[str, str] = {}
    in_avro: tuple[str, ...] = ()

    @property
    def format(self) -> str:
        """As the schema of churnstream names it."""
        return "avro" if self.in_avro else "json"


FORMS: Mapping[str, Form] = {
    "plain": Form(),
    "described": Form(
        {"value.converter.schemas.enable": "true", "decimal.handling.mode": "precise"}
    ),
    "texts": Form({"decimal.handling.mode": "string", "time.precision.mode": "isostring"}),
    "connect": Form(
        {
            "value.converter.schemas.enable": "true",
            "value.converter.decimal.format": "NUMERIC",
            "decimal.handling.mode": "precise",
            "time.precision.mode": "connect",
        }
    ),
    "avro": Form({"decimal.handling.mode": "precise"}, ("value",)),
    "avro_connect": Form(
        {"decimal.handling.mode": "precise", "time.precision.mode": "connect"}, ("key", "value")
    ),
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
    """Customers of a schema that `init` found in an extract of their table, and their model.

    Attributes:
        customers: By the format of their changes.
    """

    customers: Mapping[str, Customers]
    model: Path


@pytest.fixture(scope="session")
def bank(database: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A table `accounts`, and a model of it."""
    database.run(f"{_TABLE}; {_ROWS}")
    folder = tmp_path_factory.mktemp("bank")
    (folder / "bank.csv").write_text(database.run("select * from accounts"))
    init = Process(folder, "init", "init", "bank.csv", "--label", "exited=1", environment={})
    assert init.wait(60) == 0, init.last_words
    found = (folder / "customers.yaml").read_text()
    customers = {}
    for form in ("json", "avro"):
        schema = folder / f"{form}.yaml"
        schema.write_text(f"{found}{customers_table.source(form)}\n")
        customers[form] = customers_of(schema)
    return Bank(customers, train(folder, customers["json"]))


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """How the source writes its events."""
    name: str = request.param
    return name


@pytest.fixture
def tables(bank: Bank, database: Postgres, form: str) -> Tables:
    """The customers in a table of their own, and where their predictions will be."""
    found = Tables(
        database, f"accounts_{form}", f"predictions_{form}", bank.customers["json"].schema.id
    )
    database.run(
        f"create table {found.customers} (like accounts including all);"
        f"insert into {found.customers} select * from accounts"
    )
    if FORMS[form].in_avro:  # its converter writes a default where a row has nothing
        database.run(f"alter table {found.customers} alter balance drop default")
    return found


@pytest.fixture
def flow(
    cluster: Cluster, bank: Bank, form: str, registry: Registry, tmp_path: Path
) -> Iterator[Flow]:
    """Topics as the edited connectors name them."""
    flow = Flow(
        cluster.bootstrap_servers,
        form,
        folder=tmp_path / "flow",
        model=bank.model,
        customers=bank.customers[FORMS[form].format],
    )
    flow.environment["CHURNSTREAM_SCHEMA_REGISTRY__URL"] = registry.url
    flow.input, flow.output = f"{form}.raw.customers", f"{form}.churn.predictions"
    with flow:
        yield flow


def test_every_type_of_column_in_every_form(
    tables: Tables, flow: Flow, worker: Connect, registry: Registry, form: str
) -> None:
    """What the model says of a row in a file it says of the row's change, whatever its form."""
    source = tables.connector("customers-source", form, **FORMS[form].config)
    parts = FORMS[form].in_avro
    worker.add(in_avro(source, registry.url, *parts) if parts else source)
    worker.add(tables.connector("predictions-sink", form))
    wait_arrived(flow, registry, ROWS)
    some = f"where {tables.id} in (select {tables.id} from {tables.customers} order by 1 limit"
    tables.database.run(f"delete from {tables.customers} {some} {DELETED})")
    tables.database.run(f"update {tables.customers} set age = age + 1 {some} {UPDATED})")
    wait_arrived(flow, registry, ROWS + UPDATED + 2 * DELETED)
    flow.run_batch()

    found = ChangesOfRows.of(flow, registry)
    assert found.counts == {"r": ROWS, "u": UPDATED, "d": DELETED, TOMBSTONE: DELETED}
    assert flow.audit().complete
    assert rejections(flow) == set()
    assert len(flow.answers()) == ROWS + UPDATED
    tables.wait_written(found.newest)
    assert tables.unlike_the_model(flow) == []


def wait_arrived(flow: Flow, registry: Registry, records: int) -> None:
    """Wait until the source has written so many."""

    def arrived() -> bool:
        return ChangesOfRows.of(flow, registry).counts.total() >= records

    until(arrived, WITHIN, f"{records} records")


def rejections(flow: Flow) -> set[str]:
    """What was wrong with events, each once."""
    headers = [dict(record.headers() or []) for record in flow.watch.read(flow.dead_letters)]
    return {str(header["__connect.errors.exception.message"]) for header in headers}

"""A PostgreSQL, a broker and a worker of Kafka Connect, all real, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from connect_worker import Connect
from postgres import Postgres
from schema_registry import Registry


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    """An empty database."""
    with Postgres() as database:
        yield database


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One broker."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def worker(cluster: Cluster, database: Postgres) -> Iterator[Connect]:
    """Kafka Connect without connectors."""
    with Connect(cluster.bootstrap_servers, environment=database.environment) as worker:
        yield worker


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A schema registry."""
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry

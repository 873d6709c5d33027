"""Real brokers for the tests of this folder: started once, at the first test that wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from cluster import Cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, also when it is collected together with others."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka_cluster() -> Iterator[Cluster]:
    """One broker of Apache Kafka on a free port."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kafka_cluster3() -> Iterator[Cluster]:
    """Three brokers, of which a test may kill, pause and restart any."""
    with Cluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _healed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hand the brokers on whole, whatever a test did to them."""
    yield
    for name in {"kafka_cluster", "kafka_cluster3"} & set(request.fixturenames):
        request.getfixturevalue(name).heal()


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A beginning for names of topics, groups and transactions that no other test has."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name).strip("-")
    return f"{name[:60]}-{uuid4().hex[:8]}"

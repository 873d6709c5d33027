"""What tests need of this package, as pytest fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster

from chaos.flow import Flow, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model, trained once."""
    return train(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def flow(
    kafka_cluster: Cluster, trained: Path, tmp_path: Path, topic_prefix: str
) -> Iterator[Flow]:
    """Topics and a group of their own on one broker."""
    with Flow(
        kafka_cluster.bootstrap_servers, topic_prefix, folder=tmp_path, model=trained
    ) as flow:
        yield flow

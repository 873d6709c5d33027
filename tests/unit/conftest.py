"""A model trained on the bundled customers once for all tests."""

from pathlib import Path

import pytest

from builders import TELCO, CustomerEvent


@pytest.fixture(scope="session")
def trained(customers: list[CustomerEvent], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the default model; tests read it only."""
    from churnstream.model.manifest import save
    from churnstream.model.train import train

    folder: Path = tmp_path_factory.mktemp("trained")
    save(train(TELCO, customers), folder)
    return folder

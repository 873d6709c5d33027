"""The bundled customers, and a model trained on them once for all tests."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from churnstream.dataset import open_dataset
from churnstream.encoding import decode_rows
from churnstream.messages import CustomerEvent


@pytest.fixture(scope="session")
def customers() -> list[CustomerEvent]:
    """All bundled customers, with their labels."""
    rows = [
        row
        for batch in open_dataset(None).batches(10_000)
        for row in decode_rows(batch, datetime(2026, 1, 31, tzinfo=UTC))
    ]
    events = [row for row in rows if isinstance(row, CustomerEvent)]
    assert len(events) == len(rows)
    return events


@pytest.fixture(scope="session")
def trained(customers: list[CustomerEvent], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the default model; tests read it only."""
    from churnstream.model.manifest import save
    from churnstream.model.train import train

    folder: Path = tmp_path_factory.mktemp("trained")
    save(train(customers), folder)
    return folder

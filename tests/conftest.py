"""What holds for every test, and the bundled customers."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import HealthCheck, settings

from builders import TELCO, CustomerEvent, decode_event, telco_rows
from churnstream.codecs.event_encoder import decode_rows
from churnstream.records.rejection import Rejection

# A busy machine is no fault of the code under test. A gate tries the same examples every time, or
# it would fail changes that have nothing to do with them; who works on the code tries new ones.
settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _unconfigured_logs() -> Iterator[None]:
    """A command that ran in this process must not leave its closed stderr to later tests."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def customers() -> list[CustomerEvent]:
    """All bundled customers, with their labels."""
    rows = [
        row
        for batch in telco_rows().batches(10_000)
        for row in decode_rows(batch, TELCO, datetime(2026, 1, 31, tzinfo=UTC), decode_event)
    ]
    events = [row for row in rows if not isinstance(row, Rejection)]
    assert len(events) == len(rows)
    return events

"""Flows on the embedded broker, as in the integration tests, and a real Prometheus."""

import shutil

import pytest

from integration.conftest import (  # noqa: F401  # fixtures
    _scale_is_known_to_tests_only,
    broker,
    flow,
    model_folder,
    new_flow,
)


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    """Say what is missing rather than pass without having looked."""
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing: apt-get install prometheus", pytrace=False)

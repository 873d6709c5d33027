"""Skips, in words, where the chart cannot be rendered."""

import pytest

from helm_chart import helm


@pytest.fixture(scope="session", autouse=True)
def _program() -> None:
    """Helm is there, or can be built."""
    if helm() is None:
        pytest.skip("neither helm nor Go is installed: the chart is not checked here")

"""One API server for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api_server import ApiServer, missing
from helm_chart import helm


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server without nodes."""
    if absent := missing():
        pytest.fail(absent, pytrace=False)
    if helm() is None:
        pytest.fail("install first: helm, or Go, which builds it", pytrace=False)
    with ApiServer(tmp_path_factory.mktemp("kube")) as server:
        yield server

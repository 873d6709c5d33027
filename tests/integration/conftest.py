"""One embedded broker and one model for all tests, and topics of its own for each."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from churnstream.testing.embedded import HOST, embedded_broker, free_port
from integration.flow import SCALE_VARIABLE, Flow, NewFlow, churnstream


@pytest.fixture(scope="session", autouse=True)
def _scale_is_known_to_tests_only() -> Iterator[None]:
    """Churnstream itself rejects a variable of its prefix that is no setting."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv(SCALE_VARIABLE, raising=False)
        yield


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The address of an embedded broker."""
    with embedded_broker() as address:
        yield address


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained on the bundled customers; tests read it only."""
    folder: Path = tmp_path_factory.mktemp("model")
    assert churnstream("train", "--model", folder).code == 0
    return folder


@pytest.fixture(scope="session")
def new_flow(broker: str, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> NewFlow:
    """Makes flows for a name."""

    def make(name: str) -> Flow:
        unique = f"{re.sub(r'[^A-Za-z0-9]+', '-', name)[:60]}-{uuid4().hex[:8]}"
        return Flow.create(tmp_path_factory.mktemp("flow"), unique, broker, model_folder)

    return make


@pytest.fixture
def flow(new_flow: NewFlow, request: pytest.FixtureRequest) -> Flow:
    """Topics, a group and files of this test alone."""
    return new_flow(request.node.name)


@pytest.fixture
def free_address() -> str:
    """An address where nobody listens."""
    return f"{HOST}:{free_port()}"

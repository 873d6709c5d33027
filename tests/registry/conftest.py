"""A real MLflow server with its web page, started once for all tests of this folder."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before anything imports it

_STARTS_WITHIN = 120.0  # seconds: it sets up its tables first


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let MLflow warn of what it does itself."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that keeps runs in SQLite and files in a folder."""
    folder: Path = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=folder, start_new_session=True
        )
    try:
        _wait_for(f"{address}/health", process, log)
        yield address
    finally:
        os.killpg(process.pid, 15)  # its workers, too
        process.wait(30)


def _wait_for(page: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(page, timeout=5):
                return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"the server does not answer: {log.read_text()[-2000:]}")


@pytest.fixture
def registry(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The server as the one that commands speak to, and a folder to work in."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.chdir(tmp_path)
    return server

"""A running Airflow with our DAGs, a real Kafka, and a folder of the application, for all tests."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from airflow_server import Airflow, environment, stop_consumer
from cluster import Cluster
from network import free_ports
from orchestra import Application, Orchestra


def pytest_configure(config: pytest.Config) -> None:
    """Let no import of Airflow write into the user's home; its warnings are its own."""
    os.environ.update(environment(config.rootpath / ".churnstream" / "airflow-tests", 0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Airflow warns of what it does itself."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def kafka() -> Iterator[Cluster]:
    """One broker of Apache Kafka, whose data outlives it."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def chat() -> Iterator[HTTPServer]:
    """A chat service that keeps what it is told in `said`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            said.append(json.loads(content)["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    said: list[str] = []
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.said = said  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def orchestra(
    kafka: Cluster, chat: HTTPServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Orchestra]:
    """Airflow, an empty Kafka, and a folder without a model."""
    folder: Path = tmp_path_factory.mktemp("application")
    variables = {
        "AIRFLOW_VAR_CHURNSTREAM_FOLDER": str(folder),
        "AIRFLOW_VAR_CHURNSTREAM_ALERT_URL": f"http://127.0.0.1:{chat.server_port}",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    }
    airflow = Airflow(tmp_path_factory.mktemp("airflow"), free_ports(1)[0], variables)
    airflow.start()
    try:
        yield Orchestra(airflow, Application(folder, kafka.bootstrap_servers))
    finally:
        airflow.stop()
        stop_consumer(folder / ".churnstream" / "consumer.pid")

"""Takes pictures of the DAGs after good runs, and after a failed one, in an Airflow of its own.

Runs all three for real, on an embedded broker, which is then stopped for the failure; looks at them
with the system's Chromium. Needs `make airflow`, and playwright::

    python tools/screenshot_airflow.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from airflow_server import ROOT, Airflow, answers, stop_consumer
from playwright.sync_api import Page, sync_playwright

from churnstream.testing.embedded import free_port

PICTURES = ROOT / "docs" / "kafka_screenshots"
DAGS = ("churn_training", "kafka_batch", "kafka_streaming")
WITHIN = 300  # seconds


@contextmanager
def broker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An embedded broker, and a configuration that names it."""
    port = free_port()
    sections = {"kafka": {"brokers": f"127.0.0.1:{port}", "startup_timeout": 3.0}}
    (folder / "config.yaml").write_text(yaml.safe_dump(sections))
    program = ROOT / ".venv" / "bin" / "churnstream"
    process = subprocess.Popen([program, "broker", "--port", str(port)], cwd=folder)
    try:
        while not answers(port):
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def airflow(home: Path, folder: Path) -> Iterator[Airflow]:
    """Airflow with the DAGs at work in a folder."""
    variables = {
        "AIRFLOW_VAR_CHURNSTREAM_FOLDER": str(folder),
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
    }
    server = Airflow(home, free_port(), variables)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        stop_consumer(folder / ".churnstream" / "consumer.pid")


def run(server: Airflow, dag: str) -> str:
    """Switch a DAG on and wait for the run of its last interval; its name."""
    deadline = time.monotonic() + WITHIN
    while all(found["dag_id"] != dag for found in server.call("GET", "/dags")["dags"]):
        time.sleep(1)
    server.call("PATCH", f"/dags/{dag}", {"is_paused": False})
    while time.monotonic() < deadline:
        for found in server.call("GET", f"/dags/{dag}/dagRuns")["dag_runs"]:
            if found["state"] == "success":
                return str(found["dag_run_id"])
        time.sleep(1)
    raise SystemExit(f"{dag} did not succeed within {WITHIN} s")


def fail(server: Airflow, dag: str) -> str:
    """Start a run that cannot succeed and wait for its end; its name."""
    made = server.call("POST", f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": {}})
    name = str(made["dag_run_id"])
    deadline = time.monotonic() + WITHIN
    while server.call("GET", f"/dags/{dag}/dagRuns/{name}")["state"] != "failed":
        if time.monotonic() > deadline:
            raise SystemExit(f"{dag} did not fail within {WITHIN} s")
        time.sleep(1)
    return name


def take_graph(page: Page, server: Airflow, dag: str, name: str, picture: str) -> None:
    """Look at the graph of a run."""
    page.goto(f"{server.address}/dags/{dag}/runs/{name}")
    page.get_by_role("button", name="Show Graph").click()
    page.locator(".react-flow__node").first.wait_for()
    expand = page.get_by_role("button", name="Expand all task groups")
    if expand.count():
        expand.click()
    page.wait_for_timeout(3000)  # the nodes find their places
    page.screenshot(path=PICTURES / f"{picture}.png")


def main() -> None:
    """Put the pictures into docs/kafka_screenshots."""
    chromium = shutil.which("chromium") or sys.exit("no chromium; apt-get install chromium")
    PICTURES.mkdir(parents=True, exist_ok=True)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        tempfile.TemporaryDirectory() as scratch,
        tempfile.TemporaryDirectory() as work,
        broker(Path(work)) as process,
        airflow(Path(scratch), Path(work)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1400, "height": 800})
        for dag in DAGS:
            take_graph(page, server, dag, run(server, dag), f"airflow-{dag.replace('_', '-')}")
        process.terminate()
        name = fail(server, "kafka_streaming")
        take_graph(page, server, "kafka_streaming", name, "airflow-kafka-streaming-failed")
        page.goto(f"{server.address}/dags")
        page.get_by_text("kafka_streaming").first.wait_for()
        page.wait_for_timeout(3000)
        page.screenshot(path=PICTURES / "airflow-dags.png")
        browser.close()


if __name__ == "__main__":
    main()

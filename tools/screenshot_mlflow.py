"""Takes pictures of MLflow's run table and of the registered model, on a server of its own.

Trains a few models into a real MLflow server of the environment that `make test-mlflow` sets up,
and looks at it with the system's Chromium. Needs playwright::

    python tools/screenshot_mlflow.py [.venv-mlflow]
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "kafka_screenshots"
STARTS_WITHIN = 120  # seconds
TRAININGS = (
    ("--seed", "42"),
    ("--seed", "7", "--promote", "never"),
    ("--seed", "42", "--threshold", "f1", "--promote", "always"),
)
UNINTERESTING = ("Dataset", "Source", "Models")
COLUMNS = ("test_roc_auc", "test_average_precision", "test_calibration_error", "test_profit")


@contextmanager
def server(environment: Path, folder: Path) -> Iterator[str]:
    """A server in a folder, until the end of the with-block; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    program = str(environment / "bin" / "mlflow")
    command = [program, "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(f"{address}/health", process)
        yield address
    finally:
        os.killpg(process.pid, 15)  # its workers, too
        process.wait(30)


def _wait_for(page: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(page, timeout=5):  # noqa: S310  # our own address
                return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise SystemExit("the MLflow server does not answer")


def train(environment: Path, folder: Path) -> None:
    """Register a few models; the last one is the champion."""
    program = environment / "bin" / "churnstream"
    for flags in TRAININGS:
        subprocess.run([program, "train", "--mlflow", *flags], cwd=folder, check=True, timeout=300)


def take(page: Page, address: str) -> None:
    """Look at the run table, and at the model with its versions."""
    page.goto(f"{address}/#/experiments/1/runs")
    page.get_by_text("Run Name").first.wait_for()
    page.get_by_role("button", name="Close").click()  # of the assistant, which fills a third
    page.get_by_role("button", name="Toggle sidebar").click()
    page.get_by_role("button", name="Columns").click()
    for name in (*UNINTERESTING, *COLUMNS):
        page.get_by_placeholder("Search columns").fill(name)
        page.get_by_text(name, exact=True).last.click()
    page.keyboard.press("Escape")
    page.wait_for_timeout(2000)  # the table fills in pieces
    page.screenshot(path=PICTURES / "mlflow-runs.png")
    page.goto(f"{address}/#/models/telco-churn")
    page.get_by_text("Version 3").first.wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=PICTURES / "mlflow-model.png")


def main() -> None:
    """Put both pictures into docs/kafka_screenshots."""
    environment = Path(sys.argv[1] if sys.argv[1:] else ROOT / ".venv-mlflow").resolve()
    chromium = shutil.which("chromium") or sys.exit("no chromium; apt-get install chromium")
    PICTURES.mkdir(parents=True, exist_ok=True)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with tempfile.TemporaryDirectory() as scratch, server(environment, Path(scratch)) as address:
        os.environ["MLFLOW_TRACKING_URI"] = address
        train(environment, Path(scratch))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else []
            )
            take(browser.new_page(viewport={"width": 1400, "height": 640}), address)
            browser.close()


if __name__ == "__main__":
    main()

"""Airflow with the project's DAGs on 127.0.0.1, in the environment that `make airflow` sets up.

    python tools/airflow_server.py up [--port 8080]
    python tools/airflow_server.py down

Its scheduler, DAG processor and API server are started one by one: `airflow standalone` would also
start servers of logs that listen on every network interface. Anyone on this machine may use the
API, so it is for development.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".churnstream" / "airflow"
CONSUMER = ROOT / ".churnstream" / "consumer.pid"  # that the DAG kafka_streaming starts
HOST, PORT, BROKER_PORT = "127.0.0.1", 8080, 9092
PARTS: Mapping[str, Sequence[str]] = {
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "api-server": ("api-server",),
}
_READY_WITHIN, _STOPS_WITHIN = 120.0, 15.0  # seconds


class AirflowError(Exception):
    """What went wrong and what to do about it, in one line."""


class Process:
    """A detached process that is known by its pid file, also to a later command."""

    def __init__(self, folder: Path, name: str) -> None:
        self.log = folder / f"{name}.log"
        self._file = folder / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str | Path], variables: Mapping[str, str]) -> None:
        """Start it in a session of its own, so that it outlives whoever started it."""
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._file.write_text(f"{self._child.pid} {_started(self._child.pid)}")

    @property
    def pid(self) -> int | None:
        """Its pid, or None if it has ended, also if the number now belongs to another."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            number, _, started = self._file.read_text().partition(" ")
            if started and _started(int(number)) == started:
                return int(number)
        return None

    def stop(self) -> None:
        """Ask it to end, then end it and its children."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOPS_WITHIN
        while self.pid and time.monotonic() < deadline:
            time.sleep(0.1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # its session: what it left behind
        if self._child:
            self._child.wait()
        self._file.unlink(missing_ok=True)


def _started(pid: int) -> str:
    """When a process began; empty if there is none, or nothing but its exit code."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    state, _, began = said.strip().partition(" ")
    return "" if state.startswith("Z") else began.strip()


class Airflow:
    """One Airflow: its database, logs and pid files in a folder, its API on a port of 127.0.0.1.

    Args:
        variables: Environment variables beyond, or instead of, those that are needed.
    """

    def __init__(
        self, home: Path = HOME, port: int = PORT, variables: Mapping[str, str] | None = None
    ) -> None:
        self.home, self.port = home, port
        self.address = f"http://{HOST}:{port}"
        self._program = ROOT / ".venv-airflow" / "bin" / "airflow"
        self._variables = os.environ | environment(home, port) | dict(variables or {})
        self.parts = {name: Process(home, name) for name in PARTS}

    def start(self) -> None:
        """Set up the database, start every part, and wait until all of them are well."""
        if not self._program.exists():
            raise AirflowError("Airflow is not installed; run: make airflow")
        for name, part in self.parts.items():
            if part.pid:
                raise AirflowError(f"Airflow runs already ({name}); stop it: make airflow-down")
        if answers(self.port):
            raise AirflowError(f"port {self.port} is taken; choose another with --port")
        self.home.mkdir(parents=True, exist_ok=True)
        self._migrate()
        try:
            for name, part in self.parts.items():
                part.start([self._program, *PARTS[name]], self._variables)
            self._wait_until_ready()
        except BaseException:  # also when the user interrupts the wait
            self.stop()
            raise

    def stop(self) -> None:
        """End every part."""
        for part in reversed(self.parts.values()):
            part.stop()

    def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """Ask the API; its answer as it came from JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"}
        request = Request(f"{self.address}/api/v2{path}", data, headers, method=method)  # noqa: S310
        with urlopen(request, timeout=30) as answer:  # noqa: S310  # our own address
            return json.load(answer)

    def _token(self) -> str:
        with urlopen(f"{self.address}/auth/token", timeout=30) as answer:  # noqa: S310
            token: str = json.load(answer)["access_token"]
            return token

    def _migrate(self) -> None:
        command: list[str | Path] = [self._program, "db", "migrate"]
        done = subprocess.run(
            command, env=self._variables, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise AirflowError(f"Airflow's database cannot be set up: {done.stderr.strip()[-500:]}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            for name, part in self.parts.items():
                if part.pid is None:
                    raise AirflowError(f"Airflow's {name} ended at its start; see {part.log}")
            if self._is_healthy():
                return
            time.sleep(0.5)
        raise AirflowError(f"Airflow is not ready after {_READY_WITHIN:.0f} s; see {self.home}")

    def _is_healthy(self) -> bool:
        try:
            with urlopen(f"{self.address}/api/v2/monitor/health", timeout=5) as answer:  # noqa: S310
                parts = json.load(answer)
        except (URLError, OSError):
            return False
        return all(parts[name]["status"] == "healthy" for name in ("scheduler", "dag_processor"))


def environment(home: Path, port: int) -> dict[str, str]:
    """What Airflow has to be told to run these DAGs here, and for nobody else."""
    address = f"http://{HOST}:{port}"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "30",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONPYCACHEPREFIX": str(home / "pycache"),
    }


def answers(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def up(port: int) -> None:
    """Start Airflow, and the embedded broker where no broker answers."""
    HOME.mkdir(parents=True, exist_ok=True)
    broker, airflow = Process(HOME, "broker"), Airflow(port=port)
    has_broker = answers(BROKER_PORT)
    airflow.start()
    if not has_broker:
        program = ROOT / ".venv" / "bin" / "churnstream"
        broker.start([program, "broker", "--port", str(BROKER_PORT)], os.environ)
        while not answers(BROKER_PORT):
            if broker.pid is None:
                raise AirflowError(f"the embedded broker ended at its start; see {broker.log}")
            time.sleep(0.1)
    kind = "that runs there already" if has_broker else "embedded, in memory"
    print(f"Airflow: {airflow.address}; broker: {HOST}:{BROKER_PORT}, {kind}")


def down() -> None:
    """Stop what `up` started, and the consumer that a DAG started."""
    Airflow().stop()
    stop_consumer(CONSUMER)
    Process(HOME, "broker").stop()


def stop_consumer(pid_file: Path) -> None:
    """Stop the consumer that a DAG started, and wait for its end.

    While it runs it holds a lock on its pid file, so the pid cannot be another's.
    """
    with contextlib.suppress(FileNotFoundError), pid_file.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.kill(int(file.read()), signal.SIGTERM)
            fcntl.flock(file, fcntl.LOCK_SH)  # it commits its batch, and ends


def main() -> int:
    """Run one command; a fault is one line on stderr."""
    parser = argparse.ArgumentParser(description="Airflow on 127.0.0.1, with the project's DAGs.")
    parser.add_argument("command", choices=("up", "down"))
    parser.add_argument("--port", type=int, default=PORT, help=f"of the web page [{PORT}]")
    options = parser.parse_args()
    try:
        up(options.port) if options.command == "up" else down()
    except AirflowError as error:
        print(f"airflow: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The application's folder, the runs of its DAGs, and what tests ask of both."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml
from airflow_server import Airflow

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / ".venv" / "bin" / "churnstream"
_RUN_WITHIN, _EVERY = 240.0, 0.5  # seconds


class Application:
    """A folder in which churnstream works, with a configuration of its own."""

    def __init__(self, folder: Path, brokers: str) -> None:
        self.folder = folder
        sections = {
            "kafka": {"brokers": brokers, "startup_timeout": 3.0},
            "model": {"refresh": 1.0},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(sections))

    def run(self, *arguments: object) -> str:
        """Run a command that must succeed; what it wrote to stdout."""
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def audit(self, *flags: object) -> dict[str, Any]:
        """The verdict on every event; fails unless each has exactly one outcome."""
        verdict: dict[str, Any] = json.loads(self.run("audit", "--json", *flags))
        assert verdict["complete"]
        return verdict

    @property
    def events(self) -> int:
        """How many places the input topic has by now."""
        rows = json.loads(self.run("topics", "describe", "--json"))
        return sum(row["end"] - row["begin"] for row in rows if row["lag"] is not None)

    @property
    def is_scored(self) -> bool:
        """Whether every event has its outcome."""
        verdict = json.loads(self.run("audit", "--in-flight-ok", "--json"))
        return bool(verdict["complete"])

    @property
    def producer(self) -> psutil.Process | None:
        """The command that sends a file, if there is one right now."""
        for process in psutil.process_iter(["cmdline", "cwd"]):
            here = process.info["cwd"] == str(self.folder.resolve())
            if here and "produce" in (process.info["cmdline"] or ()):
                return process
        return None

    def json(self, name: str) -> Any:
        """What a file of the folder holds."""
        return json.loads((self.folder / name).read_text())


class Run:
    """A run of a DAG."""

    def __init__(self, airflow: Airflow, dag: str, run: str) -> None:
        self._airflow, self.id = airflow, run
        self._runs, self._path = f"/dags/{dag}/dagRuns", f"/dags/{dag}/dagRuns/{run}"
        self._dag = dag

    @property
    def state(self) -> str:
        """Of the run as a whole."""
        state: str = self._airflow.call("GET", self._path)["state"]
        return state

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """Every task of the run as it is, by name."""
        found = self._airflow.call("GET", f"{self._path}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def wait(self) -> dict[str, str]:
        """Wait for its end; the state of every task, and that of the run as `run`."""
        until(lambda: self.state in {"success", "failed"}, _RUN_WITHIN)
        return {"run": self.state} | {name: task["state"] for name, task in self.tasks.items()}

    def answer(self, task: str) -> Any:
        """What a task handed on."""
        path = f"{self._path}/taskInstances/{task}/xcomEntries/return_value"
        return self._airflow.call("GET", f"{path}?deserialize=true")["value"]

    def again(self, *, only_failed: bool = False) -> None:
        """Let it run once more, as a click on Clear does."""
        body = {"dry_run": False, "dag_run_id": self.id, "only_failed": only_failed}
        body |= {"reset_dag_runs": True}
        self._airflow.call("POST", f"/dags/{self._dag}/clearTaskInstances", body)


class Orchestra:
    """Airflow and the application that it calls."""

    def __init__(self, airflow: Airflow, application: Application) -> None:
        self.airflow, self.application = airflow, application

    def scheduled(self, dag: str) -> Run:
        """The run that the scheduler makes of the last interval, once the DAG is switched on."""
        runs = f"/dags/{dag}/dagRuns"
        until(lambda: dag in self._dags())
        self.airflow.call("PATCH", f"/dags/{dag}", {"is_paused": False})
        until(lambda: bool(self.airflow.call("GET", runs)["dag_runs"]))
        return Run(self.airflow, dag, self.airflow.call("GET", runs)["dag_runs"][0]["dag_run_id"])

    def trigger(self, dag: str, **params: object) -> Run:
        """A run by hand."""
        body = {"logical_date": None, "conf": params}
        made = self.airflow.call("POST", f"/dags/{dag}/dagRuns", body)
        return Run(self.airflow, dag, made["dag_run_id"])

    def _dags(self) -> set[str]:
        return {dag["dag_id"] for dag in self.airflow.call("GET", "/dags")["dags"]}


def until(met: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(_EVERY)

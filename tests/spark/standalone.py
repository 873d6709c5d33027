"""A standalone Spark on 127.0.0.1: a master and two workers of one core each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from network import HOST, free_ports

from documents import ROOT

SCRIPT = ROOT / "deploy" / "spark" / "score.py"
WORKERS = 2
_STARTS_WITHIN = 120  # seconds
_ENDS_WITHIN = 900
_BIN = Path(sys.executable).parent
_DEPLOY = "org.apache.spark.deploy"


class Said(NamedTuple):
    """What a job said, and how it ended."""

    code: int
    out: str
    err: str


class Standalone:
    """A Spark whose workers may be killed.

    Args:
        folder: Where everything goes that it writes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port, self._page = free_ports(2)
        self._port = str(port)
        self.address = f"spark://{HOST}:{port}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Standalone:
        where = ["--host", HOST, "--port", self._port, "--webui-port", str(self._page)]
        try:
            self._start("master", f"{_DEPLOY}.master.Master", *where)
            self._wait_for("master", "New state: ALIVE")
            self.heal()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in [*self._processes]:
            self.kill(name)

    def heal(self) -> None:
        """Start the workers that are not there."""
        names = [f"worker-{n}" for n in range(WORKERS)]
        for name in (gone := [name for name in names if name not in self._processes]):
            limits = ["--cores", "1", "--memory", "1g", "--webui-port", "0"]
            work = ["--work-dir", str(self._folder / name)]
            where = ["--host", HOST, *limits, *work, self.address]
            self._start(name, f"{_DEPLOY}.worker.Worker", *where)
        for name in gone:
            self._wait_for(name, "Successfully registered with master")

    def kill(self, name: str) -> None:
        """End a process at once, and with it all that it started: a machine that is gone."""
        process = self._processes.pop(name)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
        for one in family:
            one.kill()
        process.wait()
        psutil.wait_procs(family)

    def submit(self, *words: object, jars: str = "") -> subprocess.Popen[str]:
        """Start the job that comes along, as people do: spark-submit score.py …."""
        settings = {
            "spark.executor.memory": "512m",
            "spark.driver.memory": "512m",
            "spark.ui.enabled": "false",
            "spark.jars": jars,
            "spark.sql.files.openCostInBytes": str(128 * 2**20),  # a task for each file
        }
        given = [f"--conf={name}={value}" for name, value in settings.items() if value]
        command = [_BIN / "spark-submit", "--master", self.address, *given, SCRIPT, *words]
        with (self._folder / "driver.log").open("w") as log:
            return subprocess.Popen(
                list(map(str, command)),
                cwd=self._folder,
                env=_environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ended(self, job: subprocess.Popen[str]) -> Said:
        """Wait for the end of a job."""
        try:
            out, _ = job.communicate(timeout=_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            job.kill()
            raise
        return Said(job.returncode, out, (self._folder / "driver.log").read_text())

    def run(self, *words: object, jars: str = "") -> Said:
        """`submit`, and wait for the end."""
        return self.ended(self.submit(*words, jars=jars))

    def _start(self, name: str, main: str, *words: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            command = [str(_BIN / "spark-class"), main, *words]
            self._processes[name] = subprocess.Popen(
                command, env=_environment(), stdout=log, stderr=log, cwd=self._folder
            )

    def _wait_for(self, name: str, words: str) -> None:
        log, deadline = self._folder / f"{name}.log", time.monotonic() + _STARTS_WITHIN
        while words not in log.read_text():
            assert self._processes[name].poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


def _environment() -> dict[str, str]:
    own = {
        "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": HOST,
        "SPARK_DAEMON_MEMORY": "256m",
    }
    return os.environ | own

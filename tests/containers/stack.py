"""The services of docker-compose.yml as they run: what they are asked, and what is done to them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from docker_engine import Engine, EngineError, answer
from stand_ins import ROOT

BROKER = "--broker kafka:9092"

_DETACHED = ("up", "--detach", "--no-build")


class Stack:
    """One run of the compose file, with volumes of its own.

    Args:
        name: Tells its containers from those of others.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._file = ["--file", f"{ROOT / 'docker-compose.yml'}", "--project-name", name]
        self._variables = {**engine.environment, "GRAFANA_PASSWORD": secrets.token_hex(12)}

    def compose(self, *words: str, seconds: float = 300) -> str:
        """Run `docker-compose` with words of its command line; return what it printed."""
        return answer("docker-compose", *self._file, *words, seconds=seconds, **self._variables)

    def up(self, *services: str) -> None:
        """Start services, and those that they need."""
        self.compose(*_DETACHED, *services)

    def scale(self, service: str, count: int) -> None:
        """Start as many of a service."""
        self.compose(*_DETACHED, "--no-recreate", "--scale", f"{service}={count}", service)

    def down(self) -> None:
        """Remove every container and volume."""
        self.compose("down", "--volumes", "--timeout", "10")

    def run(self, command: str, service: str = "consumer") -> str:
        """Type a command in a new container of a service; return its standard output."""
        return self.compose("run", "--rm", "-T", "--no-deps", service, *command.split())

    def containers(self, service: str) -> list[str]:
        """Ids of a service's containers, also of those that stand still."""
        return sorted(self.compose("ps", "--quiet", service).split())

    def state(self, container: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        found: list[dict[str, Any]] = json.loads(self._engine.docker("inspect", container))
        return found[0]

    def works(self, service: str) -> bool:
        """Tell whether every container of a service runs and its health check says yes."""
        states = [self.state(container)["State"] for container in self.containers(service)]
        return all(s["Running"] and s["Health"]["Status"] == "healthy" for s in states)

    def wait_works(self, *services: str, seconds: float = 180) -> None:
        """Wait until the health checks of services say yes."""
        for service in services:
            until(partial(self.works, service), seconds, partial(self.log, service))

    def kill(self, container: str) -> None:
        """End its first process, and so all of them, without warning: a `kill -9` of the host."""
        # While it waits to be started again its number is 0, which would mean ourselves.
        until(lambda: self.state(container)["State"]["Pid"] > 0)
        pid = self.state(container)["State"]["Pid"]
        assert pid > 0
        os.kill(pid, signal.SIGKILL)

    def kill_and_wait(self, container: str, seconds: float = 60) -> None:
        """Kill it, and see that it is started again without anybody's help."""
        restarts = self.state(container)["RestartCount"]
        self.kill(container)

        def runs_again() -> bool:
            state = self.state(container)
            return bool(state["RestartCount"] > restarts and state["State"]["Running"])

        until(runs_again, seconds)

    def stop(self, container: str) -> tuple[int, float]:
        """Ask it to end as `docker stop` does; its exit code, and the seconds that it took."""
        began = time.monotonic()
        self._engine.docker("stop", container)
        return self.state(container)["State"]["ExitCode"], time.monotonic() - began

    def start(self, container: str) -> None:
        """Start one that was stopped."""
        self._engine.docker("start", container)

    def log(self, service: str) -> str:
        """The end of what a service printed."""
        return self.compose("logs", "--no-color", "--tail", "40", service)

    def memory(self, container: str) -> int:
        """Megabytes that it holds now, without the files that it only read."""
        pid = self.state(container)["State"]["Pid"]
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        place = next((line.split(":")[2] for line in groups if ":memory:" in line), "")
        stat = Path(f"/sys/fs/cgroup/memory{place}/memory.stat").read_text()
        return int(dict(line.split() for line in stat.splitlines())["rss"]) // 1_000_000

    def audit(self) -> dict[str, Any]:
        """What `churnstream audit` counts; raises unless every event has exactly one outcome."""
        counted: dict[str, Any] = json.loads(self.run(f"churnstream audit --json {BROKER}"))
        return counted

    def wait_scored(self, seconds: float = 180) -> dict[str, Any]:
        """Wait until the consumers have scored all that was sent, then let `audit` count."""
        began = time.monotonic()
        while True:
            try:
                return self.audit()
            except EngineError:
                if time.monotonic() - began > seconds:
                    raise
            time.sleep(2)


def until(
    true: Callable[[], bool], seconds: float = 60, says: Callable[[], str] = lambda: ""
) -> None:
    """Wait for something to become true; fail with what `says` returns if it does not."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s {says()}"
        time.sleep(0.3)

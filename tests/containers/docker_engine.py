"""A Docker Engine of its own, which touches nothing of the machine's and ends with its user.

It keeps its images in one folder from run to run. Containers run with the engine in a network
namespace, so that bridge, firewall rules and published ports are seen by nobody else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from network import HOST

PROGRAMS = {
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
    "unshare": "util-linux",
    "java": "openjdk-17-jre-headless",
    "mvn": "maven",
}
"""What the tests need beside Python, and Debian's package for each."""

# Its mounts are nobody else's either, and gone with it.
_BESIDE = ("unshare", "--mount")
_ALONE = (*_BESIDE, "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
_STARTS_WITHIN, _ENDS_WITHIN = 60, 60
_NO_BRIDGE = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false")


class EngineError(Exception):
    """What the engine, or a program that it ran, answered."""


def what_is_missing() -> str:
    """Say why no engine can run here; "" where one can."""
    if os.geteuid() != 0:
        return "containers need root, to start an engine of their own"
    missing = sorted({deb for name, deb in PROGRAMS.items() if shutil.which(name) is None})
    if missing:
        return f"not installed: apt-get install {' '.join(missing)}"
    tried = subprocess.run([*_ALONE, "true"], check=False, capture_output=True, text=True)
    return tried.stderr and f"root may have no namespaces here: {tried.stderr.strip()}"


def answer(*command: str, seconds: float = 900, **variables: str) -> str:
    """Run a program and return what it printed; raise with its last lines if it failed."""
    done = subprocess.run(
        command,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        env=os.environ | variables,
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise EngineError(f"{' '.join(command)} failed with {done.returncode}:\n{said}")
    return done.stdout


class Engine:
    """What can be asked of a running engine."""

    def __init__(self, folder: Path, pid: int) -> None:
        self._pid = pid
        self.environment: Mapping[str, str] = {
            "DOCKER_HOST": f"unix://{folder / 'socket'}",
            "DOCKER_BUILDKIT": "0",  # Debian's engine has no other builder
        }

    def docker(self, *words: str, seconds: float = 900) -> str:
        """Run the command `docker` and return what it printed."""
        return answer("docker", *words, seconds=seconds, **self.environment)

    def has(self, image: str) -> bool:
        """Tell whether an image is there."""
        return bool(self.docker("images", "--quiet", image).strip())

    def reachable(self, port: int) -> bool:
        """Tell whether a program on the engine's machine reaches a published port."""
        probe = f"exec 3<>/dev/tcp/{HOST}/{port}"
        inside = ["nsenter", "--target", str(self._pid), "--net", "bash", "-c", probe]
        return subprocess.run(inside, check=False, capture_output=True).returncode == 0


@contextlib.contextmanager
def engine(data: Path, *, alone: bool) -> Iterator[Engine]:
    """Run an engine for the length of a with-block.

    Args:
        data: Where images stay.
        alone: In a network namespace of its own, where containers run. Without, it shares the
            machine's network and builds images, which need the package registries.
    """
    folder = Path(tempfile.mkdtemp(prefix="churnstream-engine-"))
    log = folder / "log"
    # However this process ends, the engine hears of it, and takes its containers along.
    tied = ["setpriv", "--pdeathsig", "TERM", *_command(folder, data)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*(_ALONE if alone else _BESIDE), *tied, *(() if alone else _NO_BRIDGE)],
            stdout=output,
            stderr=output,
            start_new_session=True,  # or Ctrl-C would end it before its containers
        )
    running = Engine(folder, process.pid)
    try:
        _wait_ready(running, process, log)
        _remove_containers(running)  # of a run that was killed
        yield running
        _remove_containers(running)
    finally:
        process.terminate()
        process.wait(_ENDS_WITHIN)
        shutil.rmtree(folder, ignore_errors=True)


def _command(folder: Path, data: Path) -> list[str]:
    """One that needs neither swap limits nor rights over the machine's other processes."""
    places = {"data-root": data, "exec-root": folder / "exec", "pidfile": folder / "pid"}
    named = [f"--{name}={place}" for name, place in places.items()]
    return ["dockerd", *named, f"--host=unix://{folder / 'socket'}", "--oom-score-adjust=0"]


def _wait_ready(running: Engine, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        with contextlib.suppress(EngineError):
            running.docker("version")
            return
        if process.poll() is not None or time.monotonic() > deadline:
            last = "\n".join(log.read_text().splitlines()[-5:])
            raise EngineError(f"the engine does not answer:\n{last}")
        time.sleep(0.2)


def _remove_containers(running: Engine) -> None:
    left = running.docker("ps", "--all", "--quiet").split()
    if left:
        running.docker("rm", "--force", "--volumes", *left)
    running.docker("volume", "prune", "--force")
    running.docker("network", "prune", "--force")

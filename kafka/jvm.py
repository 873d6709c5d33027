"""The Java side of a local cluster: Kafka's jars, and JVMs that are known by their folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

POM = Path(__file__).with_name("pom.xml")

FLAGS: tuple[str, ...] = (
    "-Xmx512m",
    # A broker for development starts a third sooner with the simple collector and compiler.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    # Each start would otherwise print every setting several times over.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
)


class ClusterError(Exception):
    """What went wrong and what to do about it, in one line."""


def cache_folder() -> Path:
    """Return the folder for everything fetched or written: never inside the repository."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "churnstream"


def kafka_version(*, zookeeper: bool = False) -> str:
    """Return the version that the pom names, so that it stands in one place only."""
    return version_in(POM, "kafka", "profiles/profile/properties" if zookeeper else "properties")


def version_in(pom: Path, name: str, place: str = "properties") -> str:
    """Return what a pom says is the version of something."""
    version = ElementTree.parse(pom).findtext(f"{place}/{name}.version")
    if version is None:
        raise ClusterError(f"{pom} names no {name}.version in {place}")
    return version


def jars(*, zookeeper: bool = False) -> Path:
    """Return the folder with Kafka's jars, fetched by Maven the first time."""
    name = f"kafka-{kafka_version(zookeeper=zookeeper)}"
    return fetched(name, POM, "zookeeper" if zookeeper else None)


def fetched(name: str, pom: Path, profile: str | None = None) -> Path:
    """Return a folder of the cache with the jars of a pom, fetched by Maven the first time."""
    folder = cache_folder() / name
    if not folder.is_dir():
        _fetch(folder, pom, ["-P", profile] if profile else [])
    return folder


def _fetch(folder: Path, pom: Path, profile: list[str]) -> None:
    need("mvn", "Maven fetches Kafka's jars: install it (Debian: apt-get install maven)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Fetched beside its place and moved there whole: a fetch cut short never looks complete.
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        copied = Path(part) / folder.name
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={copied}"]
        command = ["mvn", "-q", "-B", "-f", str(pom), *profile, *goal]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ClusterError(f"Maven could not fetch Kafka's jars: {complaint(done.stdout)}")
        if not folder.is_dir():  # another run may have been quicker
            copied.rename(folder)


def need(program: str, advice: str) -> None:
    """Raise with the advice unless the program is installed."""
    if shutil.which(program) is None:
        raise ClusterError(f"{program} is not installed. {advice}")


@dataclass
class Jvm:
    """One detached JVM. Its folder keeps the configuration, the pid, the log and the data.

    Attributes:
        environment: Variables that it gets beside ours.
    """

    folder: Path
    main: str
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def config(self) -> Path:
        """The file that configures it; on its command line, it also tells it from any other."""
        return self.folder / "server.properties"

    @property
    def log(self) -> Path:
        """Everything that it printed."""
        return self.folder / "server.log"

    @property
    def data(self) -> Path:
        """What it must find again after a restart."""
        return self.folder / "data"

    @property
    def pid(self) -> int | None:
        """Its pid, or None once it has ended, also if the number now belongs to another."""
        if self._process is not None:  # a child of this process
            return self._process.pid if self._process.poll() is None else None
        try:
            pid = int((self.folder / "pid").read_text())
        except FileNotFoundError:
            return None
        command = _command_line(pid)
        # A process that is ending has lost its arguments, but still holds its ports.
        ours = str(self.config) in command or command in {"[java]", "(java)"}
        return pid if ours else None

    def start(self, classpath: Path) -> None:
        """Start it in a session of its own, so that it outlives whoever started it."""
        command = ["java", *FLAGS, "-cp", f"{classpath}/*", self.main, str(self.config)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(str(self._process.pid))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, number)

    def ask_to_end(self) -> None:
        """Ask for an orderly end."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)  # a paused process hears of the first only when it goes on

    def wait_gone(self, timeout: float) -> None:
        """Wait until it has ended, and make it end when that takes longer than the timeout."""
        deadline = time.monotonic() + timeout
        while self.pid is not None:
            if time.monotonic() >= deadline:
                self.send(signal.SIGKILL)
            time.sleep(0.05)

    def last_words(self) -> str:
        """Return the line of the log that best tells why it ended."""
        return complaint(self.log.read_text(errors="replace"))


def _command_line(pid: int) -> str:
    # One command for Linux and macOS; empty for a process that has ended.
    command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def complaint(output: str) -> str:
    """Return the line of a program's output that best tells why it failed."""
    if "UnsupportedClassVersionError" in output:
        return "this Java is too old: Kafka 4 needs 17 or newer"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    bad = [line for line in lines if "ERROR" in line or "Exception" in line]
    return next(iter(bad or lines[-1:]), "it said nothing")

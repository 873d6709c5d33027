"""The commands that documents tell people to type: which there are, and a place to type them in.

A block of shell without a mark is run on the embedded broker, by tests/integration. A mark is a
comment right above the block; a reader sees the same in words.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import accumulate, takewhile
from pathlib import Path
from threading import Timer
from typing import NamedTuple

from network import HOST, free_ports

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "kafka", "schemas", "benchmarks", "monitoring", "src", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(p for f in FOLDERS for p in (ROOT / f).rglob("*.md"))])

ON_KAFKA = "run on Apache Kafka"  # by tests/kafka
WITH_TLS = "run on Apache Kafka with TLS"  # by tests/kafka as well
WITH_MLFLOW = "run with MLflow"  # by tests/registry
WITH_SPARK = "run with Spark"  # by tests/spark
BY_CI = "run by .ci/run"
NOT_RUN = re.compile(r"not run: needs (Docker|Airflow|a cluster|a schema registry|systemd)\b.*")

_BLOCK = re.compile(r"(?:^<!-- ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`((?:churnstream|make) [^`]+)`")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)
_SHELL = ";|&<>()\n"
_PORTS = {"8090": 1, "9092": 2, "9093": 1, "9100": 1, "9192": 6, "9292": 2}  # so many in a row
_PORT = re.compile(rf"\b({'|'.join(_PORTS)})\b")
_BOUNDED = {"batch", "--max-events", "--duration", "--detach", "--help"}
_SECONDS = 120
_SETTLED = 1  # who presses Ctrl-C has read the line before
_QUIET = 3


class Block(NamedTuple):
    """A piece of a document that can be typed.

    Attributes:
        mark: Who runs it, or why nobody does; "" where nothing is said.
    """

    page: Path
    mark: str
    text: str


def blocks(page: Path, language: str = "sh") -> list[Block]:
    """The blocks of a page in their order."""
    found = _BLOCK.findall(page.read_text())
    return [Block(page, mark, text) for mark, name, text in found if name == language]


def spans(page: Path) -> list[str]:
    """The commands within the sentences and tables of a page."""
    return _SPAN.findall(_BLOCK.sub("", page.read_text()))


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _BLOCK.sub("", page.read_text())


def commands(text: str) -> list[list[str]]:
    """Each simple command of a piece of shell, as words, without comments."""
    text = _COMMENT.sub("", text.replace("\\\n", " "))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_SHELL)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set(_SHELL):
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


def lasts(words: list[str]) -> bool:
    """Whether a command goes on until it is stopped."""
    if words[:2] == ["churnstream", "demo"]:
        return "--keep" in words
    return words[1] in {"broker", "dashboard", "consume", "produce"} and not _BOUNDED & set(words)


class Workplace:
    """A folder and a shell in it, where each port that a document names is another, free one.

    Args:
        broker: What commands reach where a document says 127.0.0.1:9092; none: a free port.
    """

    def __init__(self, folder: Path, broker: str = "", **environment: str) -> None:
        self.folder = folder
        free = free_ports(sum(_PORTS.values()))
        starts = accumulate(_PORTS.values(), initial=free[0])
        self._ports = {name: str(port) for name, port in zip(_PORTS, starts, strict=False)}
        if broker:
            self._ports["9092"] = broker.rpartition(":")[2]
        self.own_environment = environment | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "CHURNSTREAM_KAFKA__BROKERS": f"{HOST}:{self._ports['9092']}",
            "CHURNSTREAM_DASHBOARD__PORT": "0",
        }

    def with_ports(self, text: str) -> str:
        """The same with our ports."""
        return _PORT.sub(lambda found: self._ports[found[0]], text)

    def furnish(self) -> None:
        """Put into the folder what `make` needs of the repository, installed already."""
        for name in ("requirements", "pyproject.toml", "src"):
            (self.folder / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "Makefile", self.folder)
        shutil.copytree(ROOT / "kafka", self.folder / "kafka")
        for script in (self.folder / "kafka").glob("*.py"):
            script.write_text(self.with_ports(script.read_text()))
        (self.folder / ".venv").mkdir()
        (self.folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        (self.folder / ".venv" / ".installed").touch()

    def type(self, text: str, seconds: float = _SECONDS) -> None:
        """Type it, and see that every command succeeds; one that lasts gets Ctrl-C."""
        found = commands(text)
        if len(found) == 1 and lasts(found[0]):
            self.until_stopped(found[0])
            return
        with self._start(["bash", "-ex", "-c", self.with_ports(text)]) as shell:
            assert _wait(shell, seconds) == 0, text

    def until_stopped(self, *lasting: list[str]) -> None:
        """Start commands side by side, and stop each of them once it works."""
        with ExitStack() as stack:
            started = [(words, stack.enter_context(self._lasting(words))) for words in lasting]
            for words, process in started:
                _wait_ready(words[1], process)
            time.sleep(_SETTLED)
            for _, process in started:
                process.send_signal(signal.SIGINT)
            assert [words for words, process in started if _wait(process) != 0] == []

    @contextmanager
    def _lasting(self, words: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
        typed = [self.with_ports(word) for word in words]
        if words[1] == "broker":  # where it listens by default, another may be at work
            typed += ["--port", str(free_ports(1)[0])]
        with self._start(typed, subprocess.PIPE, subprocess.STDOUT) as process:
            overdue = Timer(_SECONDS, process.kill)
            overdue.start()
            try:
                yield process
            finally:
                overdue.cancel()
                process.terminate()  # after a failure: a broker takes its own process along

    def _start(
        self, words: list[str], out: int | None = None, err: int | None = None
    ) -> "subprocess.Popen[bytes]":
        outside = {k: v for k, v in os.environ.items() if "CHURNSTREAM_" not in k}
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=outside | self.own_environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


def _wait_ready(command: str, process: "subprocess.Popen[bytes]") -> None:
    """Come back once it says that it works; a producer has nothing to say."""
    if command == "produce":
        time.sleep(_QUIET)
        return
    assert process.stdout is not None
    word = b"consumer_started" if command == "consume" else b"Ctrl-C"
    said = list(takewhile(lambda line: word not in line, process.stdout))
    assert process.poll() is None, b"".join(said).decode()


def _wait(process: "subprocess.Popen[bytes]", seconds: float = _SECONDS) -> int:
    """Its exit code; what takes too long is ended with all that it started."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode

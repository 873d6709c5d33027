"""Builds the peers that are not written in Python, with what the machine has."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import jvm

from benchmarks.processes import Command

PEERS = Path(__file__).with_name("peers")
_HEAP = "-Xmx512m"


def go_peer(folder: Path) -> Command:
    """The peer in Go, built into a folder; Go fetches what it needs.

    Raises:
        jvm.ClusterError: There is no Go, or it cannot build this.
    """
    jvm.need("go", "Install Go 1.26 or newer")
    program = folder / "franz-go"
    _run(["go", "build", "-o", str(program), "."], PEERS / "go")
    return [str(program)]


def java_peer(folder: Path) -> Command:
    """The peers in Java, compiled into a folder; Maven fetches their jars the first time.

    Raises:
        jvm.ClusterError: There is no JDK or no Maven, or one of them fails.
    """
    jvm.need(
        "javac", "Install a JDK, 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)"
    )
    pom = PEERS / "java" / "pom.xml"
    jars = jvm.fetched(f"peers-{sha256(pom.read_bytes()).hexdigest()[:12]}", pom)
    classes = folder / "java"
    classes.mkdir()
    sources = map(str, sorted(pom.parent.glob("*.java")))
    _run(["javac", "-cp", f"{jars}/*", "-d", str(classes), *sources], pom.parent)
    return ["java", _HEAP, "-cp", f"{classes}:{jars}/*", "Peer"]


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise jvm.ClusterError(f"{command[0]} could not build {folder}: {done.stderr.strip()}")

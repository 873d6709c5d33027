"""An engine, our images and the running services, for all tests of this folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_engine import Engine, engine, what_is_missing
from stack import Stack
from stand_ins import ROOT, build_ours, build_stand_ins

_FIGURES = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin without figures."""
    config.stash[_FIGURES] = {}


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was measured."""
    for name, figure in config.stash[_FIGURES].items():
        terminalreporter.write_line(f"{name}: {figure}")


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> dict[str, str]:
    """What tests measured, by name; printed in the end."""
    return request.config.stash[_FIGURES]


@pytest.fixture(scope="session")
def images(figures: dict[str, str]) -> Path:
    """The engine's folder, with our images and the stand-ins for those of others in it."""
    if missing := what_is_missing():
        pytest.skip(missing)
    folder = ROOT / ".churnstream" / "containers"
    folder.mkdir(parents=True, exist_ok=True)
    with engine(folder, alone=False) as builder:
        build_stand_ins(builder)
        began = time.monotonic()
        build_ours(builder)
    figures["seconds to build both images, less what is cached"] = f"{time.monotonic() - began:.0f}"
    return folder


@pytest.fixture(scope="session")
def docker(images: Path) -> Iterator[Engine]:
    """A running engine that has the images."""
    with engine(images, alone=True) as running:
        yield running


@pytest.fixture(scope="module")
def stack(docker: Engine) -> Iterator[Stack]:
    """The compose file's services, none of which runs yet."""
    stack = Stack(docker, "tried")
    try:
        yield stack
    finally:
        stack.down()

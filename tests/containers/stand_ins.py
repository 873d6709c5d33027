"""Images in place of the official ones, where these cannot be pulled.

`python:3.11-slim` is a small Debian with Debian's Python here, and `apache/kafka` is Kafka's own
jars on it, started by the class that starts the official image. What is built on them proves the
lines of our Dockerfile and of docker-compose.yml, not the official images.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from docker_engine import Engine, EngineError, answer
from jvm import jars, kafka_version

BASE = "python:3.11-slim"
KAFKA = f"apache/kafka:{kafka_version()}"
IMAGES = {"churnstream:0.1.0": "image.lock", "churnstream-train:0.1.0": "train.lock"}
"""Ours, by what is installed in them."""

ROOT = Path(__file__).parents[2]

_RECIPE = Path(__file__).with_name("kafka")
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates"
_APT = ("sources.list", "sources.list.d/debian.sources")
# A slim image has none of these either.
_LEFT_OUT = (
    "usr/share/doc usr/share/man usr/share/locale usr/share/info var/cache/apt var/lib/apt/lists"
)
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_PIP = re.compile(r"^(?:global|:env:)\.((?:index-url|cert|proxy|trusted-host)='.*')$", re.MULTILINE)


def build_stand_ins(engine: Engine) -> None:
    """Make both; the first time takes two minutes, later the engine has most of it."""
    with tempfile.TemporaryDirectory(prefix="churnstream-stand-in-") as folder:
        if not engine.has(BASE):
            _build_base(engine, Path(folder))
        _build_kafka(engine, Path(folder))


def build_ours(engine: Engine) -> None:
    """Build our images from the Dockerfile as it is."""
    for image, lock in IMAGES.items():
        what = (f"--build-arg=LOCK={lock}", f"--tag={image}")
        engine.docker("build", "--network=host", *what, f"{ROOT}")


def _build_base(engine: Engine, folder: Path) -> None:
    root, packed = folder / "root", folder / "root.tar"
    answer(
        "debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, f"{root}", _mirror()
    )
    # As in the official image, `python` and `pip` are in /usr/local.
    answer("chroot", f"{root}", "python3", "-m", "venv", "/usr/local")
    for place in _LEFT_OUT.split():
        shutil.rmtree(root / place, ignore_errors=True)
    _reach_what_this_machine_reaches(root)
    answer("tar", "-C", f"{root}", "-cf", f"{packed}", ".")
    engine.docker("import", f"{packed}", BASE)


def _mirror() -> str:
    """Where this machine has Debian from."""
    there = [path for path in (Path("/etc/apt", name) for name in _APT) if path.exists()]
    text = "\n".join(path.read_text() for path in there)
    found = re.search(r"^(?:URIs:|deb) *(?:\[.*\] )?(\S+)", text, re.MULTILINE)
    if found is None:
        raise EngineError(
            "/etc/apt names no mirror of Debian to build the stand-in for the base from"
        )
    return found[1]


def _reach_what_this_machine_reaches(root: Path) -> None:
    """A build finds packages where pip finds them here, and trusts the same certificates."""
    shutil.copy(f"/{_CERTIFICATES}", root / _CERTIFICATES)
    settings = _PIP.findall(answer(sys.executable, "-m", "pip", "config", "list"))
    lines = [setting.replace("'", "") for setting in settings]
    (root / "etc" / "pip.conf").write_text("\n".join(["[global]", *dict.fromkeys(lines), ""]))


def _build_kafka(engine: Engine, folder: Path) -> None:
    context = folder / "kafka"
    shutil.copytree(_RECIPE, context)
    shutil.copytree(jars(), context / "libs")
    engine.docker("build", "--network=host", f"--tag={KAFKA}", f"{context}")

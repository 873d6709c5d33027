"""The units for a plain machine, as far as they can be checked where no systemd runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from churnstream.cli import cli

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
OURS = "/opt/churnstream/bin/churnstream"
MAX_EXPOSURE = 3.0

with_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)


def setting(unit: Path, name: str) -> str:
    """The value of a unit's setting."""
    (value,) = re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)
    return str(value)


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd's own checker."""
    command = ["systemd-analyze", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def verified(unit: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the checker says of a unit on a machine where the program is installed."""
    here = folder / unit.name
    here.write_text(
        unit.read_text().replace(OURS, str(Path(sys.executable).parent / "churnstream"))
    )
    return analyze("verify", "--recursive-errors=no", str(here))


def test_both_are_there() -> None:
    """The consumer has a template, and the live page a unit."""
    names = [unit.name for unit in UNITS]
    assert names == ["churnstream-consumer@.service", "churnstream-dashboard.service"]


@with_systemd
@each_unit
def test_systemd_understands_it(unit: Path, tmp_path: Path) -> None:
    """The unit has no fault that systemd finds."""
    done = verified(unit, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="no systemd-sysusers here")
def test_the_user_is_made(tmp_path: Path) -> None:
    """The user that the units name is made by the file beside them."""
    (tmp_path / "etc").mkdir()
    made = ["systemd-sysusers", f"--root={tmp_path}", str(UNITS[0].with_name("churnstream.conf"))]
    subprocess.run(made, check=True, timeout=60)
    users = (tmp_path / "etc" / "passwd").read_text()
    assert {setting(unit, "User") for unit in UNITS} == {users.partition(":")[0]}
    assert setting(UNITS[0], "WorkingDirectory") in users


@with_systemd
def test_a_mistyped_unit_is_noticed(tmp_path: Path) -> None:
    """The test above would fail if a unit had a setting that systemd does not know."""
    broken = tmp_path / "broken"
    broken.mkdir()
    unit = broken / UNITS[0].name
    unit.write_text(UNITS[0].read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in verified(unit, tmp_path).stderr


@with_systemd
@each_unit
def test_whoever_breaks_in_gets_nowhere(unit: Path) -> None:
    """The exposure of the unit is 3 of 10 or less, as systemd rates it."""
    done = analyze("security", "--offline=true", str(unit))
    found = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MAX_EXPOSURE


@each_unit
def test_its_command_is_one_of_ours(unit: Path, tmp_path: Path) -> None:
    """The command and its flags exist; what they need at run time is told in one line."""
    words = setting(unit, "ExecStart").replace("%i", "0").split()
    config = tmp_path / "config.yaml"
    config.write_text("kafka: {brokers: nowhere.invalid}\n")
    assert words[0] == OURS
    args = [str(config) if word.startswith("/etc/") else word for word in words[1:]]
    assert cli.main([*args, "--help"], standalone_mode=False) == 0
    command = [str(Path(sys.executable).parent / "churnstream"), *args, "--no-such-flag"]
    wrong = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert wrong.returncode == int(setting(unit, "RestartPreventExitStatus"))
    assert "--no-such-flag" in wrong.stderr

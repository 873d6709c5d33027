"""The README's commands are run as they stand there, in their order."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from churnstream.streaming.embedded import HOST, free_port

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?```sh\n(.*?)```", re.DOTALL)
_BROKER = "churnstream broker\n"  # stays in the foreground of a terminal of its own
_SECONDS = 300


def shell_blocks() -> list[str]:
    """The README's blocks of shell, without those that say that they are not run."""
    found = _BLOCK.findall((ROOT / "README.md").read_text())
    return [text for not_run, text in found if not not_run]


def run(block: str, folder: Path, environment: dict[str, str]) -> int:
    """Type a block into a shell, and end what it leaves running if it takes too long."""
    with subprocess.Popen(
        ["bash", "-e", "-c", block],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    ) as shell:
        try:
            return shell.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            raise


def test_readme_commands_succeed_in_their_order(tmp_path: Path) -> None:
    """A newcomer who types everything in the README sees every command succeed."""
    (tmp_path / "src").symlink_to(ROOT / "src")
    port = free_port()
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **{name: value for name, value in os.environ.items() if "CHURNSTREAM_" not in name},
        "PATH": programs,
        "CHURNSTREAM_KAFKA__BROKERS": f"{HOST}:{port}",
    }
    blocks = shell_blocks()
    assert blocks[0] == _BROKER
    broker = subprocess.Popen(
        [*_BROKER.split(), "--port", str(port)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert broker.stdout is not None
        assert "ready" in broker.stdout.readline()
        for block in blocks[1:]:
            assert run(block, tmp_path, environment) == 0, block
    finally:
        broker.terminate()
        _, _ = broker.communicate(timeout=_SECONDS)
    assert broker.returncode == 0
    summary = json.loads((tmp_path / "reports" / "summary.json").read_text())
    assert summary["messages_read"] == summary["scored"] + summary["dead_lettered"]
    assert summary["dead_letters_by_reason"] == {"unknown_category": 7}

"""What must be written and cannot: logs stop nothing, and results that are lost are a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from integration.flow import Flow, Tail, churnstream, scaled_timeout, until, write_customers

EVENTS = 200
COMMITTED = "the events are scored and committed all the same"

Stream = Callable[[Path], IO[bytes]]


@pytest.fixture
def sent(flow: Flow) -> Flow:
    """A flow with some events to score."""
    write_customers(flow.folder / "customers.csv", EVENTS)
    ran = flow.run("produce --mode batch", "--dataset", flow.folder / "customers.csv")
    assert ran.code == 0, ran.err
    return flow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB, of which a byte is taken."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own for the test takes the right to mount one")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, name: str = "rest") -> None:
    """Leave no room on a disk, by a file that grows."""
    with (disk / name).open("ab", 0) as file, suppress(OSError):
        while file.write(bytes(1000)):
            pass


def full(_: Path) -> IO[bytes]:
    """A disk without room."""
    return Path("/dev/full").open("wb")  # the caller closes it


def unread(_: Path) -> IO[bytes]:
    """A pipe whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "wb")


def read_only(folder: Path) -> IO[bytes]:
    """A file that was opened to be read."""
    (folder / "log").touch()
    return (folder / "log").open("rb")


def command(flow: Flow, words: str) -> list[str]:
    """The command as the shell gets it."""
    program = str(Path(sys.executable).with_name("churnstream"))
    return [program, *words.split(), "--config", str(flow.config)]


@pytest.mark.parametrize("stream", [full, unread, read_only])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_logs_that_cannot_be_written_stop_nothing(sent: Flow, stream: Stream, level: str) -> None:
    """Whatever stderr is, all events are scored, and the exit code is that of the work."""
    words = command(sent, f"consume --mode batch --log-level {level}")
    with stream(sent.folder) as err:
        ended = subprocess.run(words, stdout=subprocess.PIPE, stderr=err, check=False)

    assert ended.returncode == 0
    assert b"summary written to" in ended.stdout
    assert sent.outcomes().total() == EVENTS


@pytest.mark.parametrize("closed", ["2>&-", "2>&- <&-"])
def test_a_closed_stderr_stops_nothing(sent: Flow, closed: str) -> None:
    """Nor does its number go to a connection, into which lines would then be written."""
    script = f'exec "$@" {closed}'
    words = ["sh", "-c", script, "sh", *command(sent, "consume --mode batch")]
    ended = subprocess.run(words, stdout=subprocess.PIPE, check=False)

    assert ended.returncode == 0
    assert b"summary written to" in ended.stdout
    assert sent.outcomes().total() == EVENTS


@pytest.mark.parametrize("stream", [full, unread])
def test_an_error_that_nobody_hears_keeps_its_exit_code(sent: Flow, stream: Stream) -> None:
    """Wrong use is 2 and a failure 1, also where the line that says why is lost."""
    for words, code in (
        ("consume --mode sometimes", 2),
        ("consume --nonsense", 2),
        ("consume --model nowhere", 1),
        ("audit", 1),
    ):
        with stream(sent.folder) as err:
            ended = subprocess.run(
                command(sent, words), stdout=subprocess.DEVNULL, stderr=err, check=False
            )
        assert ended.returncode == code, words


def test_a_disk_that_fills_while_a_consumer_runs(sent: Flow, small_disk: Path) -> None:
    """It goes on, and a signal stops it in time with exit code 0."""
    with (small_disk / "log").open("ab") as log:
        popen = subprocess.Popen(
            command(sent, "consume --log-level debug"),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        until(lambda: sent.outcomes().total() == EVENTS, 60)
        fill(small_disk, "log")
        more = sent.run(
            "produce --mode batch --no-resume", "--dataset", sent.folder / "customers.csv"
        )
        assert more.code == 0, more.err
        until(lambda: sent.outcomes().total() == 2 * EVENTS, 60)
        popen.terminate()
        assert popen.wait(scaled_timeout(5)) == 0
    finally:
        popen.kill()
        popen.wait()


@pytest.mark.parametrize("closed", [">/dev/full", ">&-"])
@pytest.mark.parametrize(
    ("words", "done"),
    [
        ("consume --mode batch", COMMITTED),
        ("produce --max-events 1", "the events are sent all the same"),
        ("produce --mode batch", "the events are sent all the same"),
        ("produce --mode batch --json", "the events are sent all the same"),
        ("dead-letters replay", "0 dead letters are sent back all the same"),
        ("topics describe", "results cannot be written to stdout"),
        ("audit", "results cannot be written to stdout"),
        ("report", "results cannot be written to stdout"),
    ],
)
def test_results_that_cannot_be_written_are_a_failure_in_one_line(
    sent: Flow, words: str, done: str, closed: str
) -> None:
    """It says what is done all the same."""
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *command(sent, words)]
    ended = subprocess.run(shell, stderr=subprocess.PIPE, text=True, check=False)

    *logs, line = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert line.startswith("Error: results cannot be written to stdout: ")
    assert done in line
    assert "Traceback" not in ended.stderr
    assert not [log for log in logs if log.startswith(("Error", "Exception"))]
    if words.startswith("consume"):
        assert sent.outcomes().total() == EVENTS
        assert sent.summary().scored == EVENTS


@contextmanager
def unwritable(folder: Path, kind: str) -> Iterator[Path]:
    """A path for a summary that cannot be written there."""
    if kind == "a file in place of its folder":
        (folder / "file").touch()
        yield folder / "file" / "summary.json"
    elif kind == "a folder of its name":
        (folder / "summary.json.d").mkdir()
        yield folder / "summary.json.d"
    elif kind == "a folder of its page's name":
        (folder / "other.html").mkdir()
        yield folder / "other.json"
    else:
        yield Path("/proc/summary.json")


@pytest.mark.parametrize(
    "kind",
    [
        "a file in place of its folder",
        "a folder of its name",
        "a folder of its page's name",
        "a file system that takes no files",
    ],
)
@pytest.mark.parametrize("words", ["consume --mode batch", "report", "demo"])
def test_a_summary_is_tried_before_anything_else(sent: Flow, words: str, kind: str) -> None:
    """One that cannot be written ends the command before it has read or committed anything."""
    with unwritable(sent.folder, kind) as path:
        ran = sent.run(words, "--summary", path)

    assert ran.code == 1
    assert ran.error.startswith(f"cannot write {path.with_suffix('')}")
    assert ran.out == ""
    assert not sent.outcomes()


def test_a_summary_is_tried_on_a_full_disk(sent: Flow, small_disk: Path) -> None:
    """A disk without room is found before the events are read, and is left as it was."""
    fill(small_disk)
    before = sorted(small_disk.iterdir())
    ran = sent.run("consume --mode batch", "--summary", small_disk / "summary.json")

    assert (ran.code, ran.out) == (1, "")
    assert ran.error == f"cannot write {small_disk / 'summary.json'}: No space left on device"
    assert sorted(small_disk.iterdir()) == before
    assert not sent.outcomes()


def test_json_and_page_of_a_summary_are_two_files(sent: Flow) -> None:
    """One would take the position of the other."""
    ran = sent.run("consume --mode batch", "--summary", sent.folder / "summary.html")

    assert ran.code == 2
    assert "name a .json file" in ran.error


def test_a_summary_that_cannot_be_kept_later_is_shown(flow: Flow, small_disk: Path) -> None:
    """The disk fills while events are scored: the exit code says so, and nothing is lost."""
    many, path = 20_000, small_disk / "summary.json"
    write_customers(flow.folder / "many.csv", many)
    flow.run("produce --mode batch", "--dataset", flow.folder / "many.csv")
    with (
        Tail(flow.settings.kafka.brokers, flow.settings.topics.output) as predictions,
        flow.process("consume --mode batch", "--summary", path, "--batch-size", 100) as consumer,
    ):
        predictions.wait_for(1)
        fill(small_disk)
        code = consumer.wait()

    assert code == 1
    assert f"{many:,}" in consumer.out
    assert f"Error: cannot write {path}: No space left on device; {COMMITTED}" in consumer.err
    assert flow.outcomes().total() == many
    assert flow.run("audit").code == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("train --model {file}/model", "{file}/model"),
        ("train --compare --report {file}/page.md", "{file}/page.md"),
        ("batch-predict --input customers.csv --output {folder}", "{folder}"),
        ("batch-predict --input customers.csv --output {file}/scored.csv", "{file}/scored.csv"),
    ],
)
def test_other_files_are_tried_before_the_work(sent: Flow, words: str, named: str) -> None:
    """What is trained or scored for minutes is not thrown away at its end."""
    (sent.folder / "file").touch()
    (sent.folder / "folder.csv").mkdir()
    places = {"file": sent.folder / "file", "folder": sent.folder / "folder.csv"}
    given = words.format(**places).replace("customers.csv", str(sent.folder / "customers.csv"))

    ran = sent.run(given) if given.startswith("batch") else churnstream(*given.split())

    assert ran.code == 1
    assert named.format(**places) in ran.error
    assert ran.out == ""

"""A consumer of its own in the background, where no supervisor keeps one running."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from churnstream.deadline import Deadline
from churnstream.errors import ChurnstreamError, ConfigurationError

FLAG = "--detach"
_STARTED = b"consumer_started"  # an event of the log
_STARTS_WITHIN = 15.0  # seconds; one that is slower is taken for well


def run_detached(arguments: list[str], pid_file: Path) -> str:
    """Run this command once more without its flag, in the background, and never twice.

    The process holds a lock on its pid file for as long as it lives, so a file that a dead one left
    behind keeps nobody from starting. Its log is beside the file, under the suffix `.log`.

    Args:
        arguments: Of the command line.

    Returns:
        What to say.

    Raises:
        ConfigurationError: The file cannot be written.
        ChurnstreamError: The process ended at its start.
    """
    try:
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        file = pid_file.open("a+")
        log = pid_file.with_suffix(".log").open("ab")
    except OSError as error:
        raise ConfigurationError(f"{FLAG} {pid_file}: {error.strerror}") from error
    with file, log:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            return f"runs already, as process {file.read()}"
        begin = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "churnstream", *_without_flag(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[file.fileno()],  # with it the process inherits the lock
        )
        _record(process, file)
        _wait_for_start(process, Path(log.name), begin)
    return f"started as process {process.pid}; stop it with: kill {process.pid}"


def _record(process: subprocess.Popen[bytes], file: IO[str]) -> None:
    """Write down who it is; nobody could find and stop a process of which that is not known.

    Raises:
        ChurnstreamError: That is not possible, and the process was stopped again.
    """
    try:
        file.truncate(0)
        file.write(str(process.pid))
        file.flush()
        os.fsync(file.fileno())
    except BaseException as error:  # an interrupt, too
        process.kill()  # it has hardly begun
        process.wait()
        if not isinstance(error, OSError):
            raise
        with suppress(OSError):
            file.close()  # what is in its buffer cannot be written either
        raise ChurnstreamError(
            f"{FLAG} {file.name}: {error.strerror}; the consumer was stopped again"
        ) from error


def _wait_for_start(process: subprocess.Popen[bytes], log: Path, begin: int) -> None:
    """Hear of what keeps it from working: a model that is missing, a broker.

    Args:
        begin: Size of the log before it was started.
    """
    deadline = Deadline(_STARTS_WITHIN)
    while process.poll() is None and not deadline.passed:
        if _STARTED in log.read_bytes()[begin:]:
            return
        time.sleep(0.1)
    if process.returncode:
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise ChurnstreamError(f"the consumer ended at its start: {last.removeprefix('Error: ')}")


def _without_flag(arguments: list[str]) -> list[str]:
    left = list(arguments)
    for index, argument in enumerate(arguments):
        if argument == FLAG:
            del left[index : index + 2]
        elif argument.startswith(f"{FLAG}="):
            del left[index]
    return left

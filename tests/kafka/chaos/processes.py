"""One run of the command line: started, killed, paused, and what it said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

COMMAND = Path(sys.executable).with_name("churnstream")
# Linux: what runs does not outlive us, even if we are killed before we can tidy up.
_WITH_US = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class Process:
    """A `churnstream` process whose output goes into files.

    Args:
        folder: Where it works and where its output is kept: NAME.out and NAME.err.
        name: Tells it from the others of the folder.
        arguments: Of the command line.
        environment: Variables to set for it.
    """

    def __init__(
        self, folder: Path, name: str, *arguments: str, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [*_WITH_US, COMMAND, *arguments],
                cwd=folder,  # no config.yaml and no checkpoint file but its own
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What it wrote to stdout so far."""
        return self._out.read_text(errors="replace")

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        return self._err.read_text(errors="replace")

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        return next(iter(self.log.strip().splitlines()[-1:]), "")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def kill(self) -> bool:
        """End it as a power cut would; whether it still ran."""
        ran = self.code is None
        self.send(signal.SIGKILL)
        self._process.wait()
        return ran

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended by itself.

        Raises:
            TimeoutError: It still runs.
        """
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} still runs after {seconds:g} s") from None

    def stop(self) -> float:
        """Ask it to end, and return after how many seconds it did.

        Raises:
            TimeoutError: It still runs after 20 s.
        """
        began = time.monotonic()
        self.send(signal.SIGTERM)
        self.wait(20)
        return time.monotonic() - began

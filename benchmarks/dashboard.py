"""The live page over a flow that is measured, and somebody who looks at it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.events import create_topic, delete_topics
from benchmarks.processes import Task
from churnstream.testing.embedded import HOST, free_port

_STARTS_WITHIN = 30.0


@contextlib.contextmanager
def watching(bench: Bench, task: Task) -> Iterator[None]:
    """Serve the page for the length of a with-block, and keep it open in one client."""
    port, checkpoint = free_port(), create_topic(bench.broker, "checkpoints", 1)
    command: list[str | Path] = [
        Path(sys.executable).with_name("churnstream"),
        "dashboard",
        "--port",
        str(port),
    ]
    command += ["--broker", task.broker, "--group", task.group, "--input-topic", task.input]
    command += ["--output-topic", task.output, "--deadletter-topic", task.deadletter]
    command += ["--scrape", f"{HOST}:{task.metrics_port}", "--log-level", "error"]
    environment = os.environ | {"CHURNSTREAM_TOPICS__CHECKPOINT": checkpoint}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _open_page(f"http://{HOST}:{port}/changes")
        yield
    finally:
        process.terminate()
        process.wait()
        delete_topics(bench.broker, [checkpoint])


def _open_page(address: str) -> None:
    """Return once the page answers; a thread goes on taking what it pushes."""
    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            pushes = urllib.request.urlopen(address, timeout=_STARTS_WITHIN)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)

    def look() -> None:
        with contextlib.suppress(OSError), pushes:
            for _ in pushes:
                pass

    pushes.readline()
    threading.Thread(target=look, daemon=True).start()

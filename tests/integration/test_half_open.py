"""Connections that ask nothing, or half a question, against the ports of real processes."""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from churnstream.testing.embedded import HOST, free_port
from integration.flow import Flow, Process, scaled_timeout, until
from integration.test_live_page import get

MANY = 1000
PARTS = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"GET /style.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nx",
)


@pytest.fixture
def _files() -> Iterator[None]:
    """Let this process have as many connections as it wants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * MANY), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def opened(port: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Connections to a port, each with a part of what is to be said, or with a wait behind it."""
    connections = []
    for number in range(MANY):
        connection = stack.enter_context(socket.create_connection((HOST, port), timeout=10))
        with contextlib.suppress(OSError):
            connection.sendall(PARTS[number % len(PARTS)])
        connection.setblocking(False)
        connections.append(connection)
    return connections


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed it."""
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def cost(process: Process) -> tuple[int, float]:
    """Threads, and memory in MB."""
    seen = psutil.Process(process.popen.pid)
    return seen.num_threads(), seen.memory_info().rss / 1e6


@pytest.mark.usefixtures("_files")
def test_a_thousand_half_open_connections_hold_nothing(flow: Flow) -> None:
    """Metrics port and page answer meanwhile, take neither threads nor memory, and close them."""
    metrics, page = free_port(), free_port()
    asked = {metrics: "/livez", page: "/"}
    with (
        flow.process("consume", "--metrics-port", metrics) as consumer,
        flow.process("dashboard", "--port", page) as dashboard,
        contextlib.ExitStack() as stack,
    ):
        processes = {metrics: consumer, page: dashboard}
        for port, path in asked.items():
            until(lambda port=port, path=path: get(port, path)[0] == 200)  # type: ignore[misc]
        before = {port: cost(process) for port, process in processes.items()}
        connections = []
        for port, path in asked.items():
            connections += opened(port, stack)
            begin = time.monotonic()
            assert get(port, path)[0] == 200
            assert time.monotonic() - begin < scaled_timeout(5)
            threads, memory = cost(processes[port])
            assert threads <= before[port][0] + 8
            assert memory < before[port][1] + 100
        until(lambda: all(map(is_closed, connections)), seconds=40)
        for port, path in asked.items():
            assert get(port, path)[0] == 200
        for process in processes.values():
            process.popen.terminate()
            assert process.wait() == 0
            assert "Traceback" not in process.err

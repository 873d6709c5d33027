"""The web server in a thread, against those who do not go on."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from builders import TELCO
from churnstream.dashboard import app
from churnstream.dashboard.record_view import RecordLookup
from churnstream.dashboard.state import State
from churnstream.dashboard.views import Views
from churnstream.errors import ConfigurationError
from churnstream.observability import web_server
from churnstream.settings import Settings

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def small(scope: Scope, receive: Receive, send: Send) -> None:
    """A short answer."""
    await Response("ok")(scope, receive, send)


def seconds_until_closed(said: bytes) -> float:
    """Say something and then nothing; how long the server takes to close the connection."""
    listener = web_server.listen("127.0.0.1", 0, "this", "--port")
    with (
        web_server.serving(small, listener, "test"),
        socket.create_connection(listener.getsockname(), timeout=20) as client,
    ):
        client.sendall(said)
        begin = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65_536):
                pass
        return time.monotonic() - begin


@pytest.mark.parametrize(
    "said",
    [
        b"",
        ASK[:-2],
        ASK,
        ASK + ASK[:-2],
        ASK * 3,
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx",
    ],
)
def test_who_does_not_go_on_is_left(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """After nothing, a part of a request, or no further request, the connection is closed."""
    monkeypatch.setattr(web_server, "_ASKED_WITHIN", 0.3)
    monkeypatch.setattr(web_server, "_IDLE", 0.2)
    assert 0.1 < seconds_until_closed(said) < 15


def test_who_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without an end ends when nobody takes it."""
    monkeypatch.setattr(web_server, "_TAKEN_WITHIN", 0.3)
    ended = threading.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)
        finally:
            ended.set()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(chunks())(scope, receive, send)

    listener = web_server.listen("127.0.0.1", 0, "this", "--port")
    with (
        web_server.serving(endless, listener, "test"),
        socket.create_connection(listener.getsockname(), timeout=20) as client,
    ):
        client.sendall(ASK)
        assert ended.wait(20)


def test_of_those_that_are_waited_for_the_oldest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many say nothing, who asks is answered at once."""
    monkeypatch.setattr(web_server, "_MAX_WAITING", 3)
    listener = web_server.listen("127.0.0.1", 0, "this", "--port")
    with web_server.serving(small, listener, "test"):
        idle = [socket.create_connection(listener.getsockname(), timeout=20) for _ in range(6)]
        with socket.create_connection(listener.getsockname(), timeout=20) as client:
            client.sendall(ASK)
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        assert [connection.recv(1) for connection in idle[:3]] == [b""] * 3
        for connection in idle:
            connection.close()


def test_a_port_that_is_taken_is_named() -> None:
    """The message says where, and how to choose another one."""
    with (
        web_server.listen("127.0.0.1", 0, "this", "--port") as taken,
        pytest.raises(ConfigurationError, match="with --port"),
    ):
        web_server.listen("127.0.0.1", taken.getsockname()[1], "that", "--port")


def test_so_many_may_look_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when as many look as may is told so, and gets in once somebody has left."""
    monkeypatch.setattr(app, "_MAX_VIEWERS", 2)
    settings = Settings()
    views = Views(settings, State(TELCO), RecordLookup(settings.kafka))
    page = app.application(views, stopped=lambda: False, token=None, local=True)
    listener = web_server.listen("127.0.0.1", 0, "this", "--port")

    def status(client: socket.socket) -> bytes:
        client.sendall(b"GET /changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return client.recv(65_536).split(b" ")[1]

    def connected() -> socket.socket:
        return stack.enter_context(socket.create_connection(listener.getsockname(), timeout=20))

    with web_server.serving(page, listener, "test"), contextlib.ExitStack() as stack:
        first, second = connected(), connected()
        assert [status(first), status(second), status(connected())] == [b"200", b"200", b"503"]
        first.close()
        deadline = time.monotonic() + 20
        while (found := status(connected())) != b"200":
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

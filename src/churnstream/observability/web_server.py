"""A small web server in a thread: what connections may take of it is bounded.

Who opens a connection and asks nothing, or half a question, or does not take the answer, is left
after some seconds. Of those that are waited for only so many are kept, so that whoever asks is
answered meanwhile.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from churnstream.errors import ConfigurationError

_ASKED_WITHIN = 10.0  # seconds for a whole request
_TAKEN_WITHIN = 30.0  # seconds for what an answer is ahead of the one who reads it
_IDLE = 5  # seconds between two requests
_MAX_WAITING = 200  # connections that are waited for; beyond them the oldest is left
_BACKLOG = 256
_ENDS_WITHIN = 2  # seconds for answers under way, when the server ends


class _Connection(H11Protocol):
    """A connection that is left where the other side does not go on.

    Attributes:
        waiting: The connections of this server that are waited for, oldest first.
    """

    waiting: dict["_Connection", None]
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._wait(_ASKED_WITHIN)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._go_on()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole; a part of one does not win time."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._go_on()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it came already."""
        before = self.cycle
        super().on_response_complete()
        if self.cycle is before:
            self._wait(_IDLE + _ASKED_WITHIN)

    def pause_writing(self) -> None:
        """Wait until the other side has taken what was written."""
        super().pause_writing()
        self._wait(_TAKEN_WITHIN)

    def resume_writing(self) -> None:
        """Write on, or wait for the next request."""
        super().resume_writing()
        self._go_on()
        if self.cycle.response_complete:
            self._wait(_IDLE + _ASKED_WITHIN)

    def _wait(self, seconds: float) -> None:
        if self._deadline is not None:
            return
        self._deadline = self.loop.call_later(seconds, self.transport.abort)
        self.waiting[self] = None
        if len(self.waiting) > _MAX_WAITING:
            oldest = next(iter(self.waiting))
            oldest._go_on()
            oldest.transport.abort()

    def _go_on(self) -> None:
        self.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def listen(host: str, port: int, what: str, flag: str) -> socket.socket:
    """Take a port.

    Args:
        what: Is served there, in words.
        flag: How to choose another port.

    Raises:
        ConfigurationError: It cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"{what} cannot be served at {host}:{port} ({error.strerror}); choose another port "
            f"with {flag}"
        ) from error


@contextlib.contextmanager
def serving(app: ASGIApp, listener: socket.socket, name: str) -> Iterator[threading.Thread]:
    """Answer for the length of a with-block, in a thread of its own, which is yielded.

    Args:
        name: Of the thread.
    """
    config = uvicorn.Config(
        app,
        http=type("_Connection", (_Connection,), {"waiting": {}}),
        ws="none",
        lifespan="off",
        backlog=_BACKLOG,
        log_config=None,  # the logs are ours
        log_level="error",
        access_log=False,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_ENDS_WITHIN,
    )
    server = uvicorn.Server(config)
    # Not in the main thread: there the server would take the signals over.
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name=name, daemon=True
    )
    thread.start()
    try:
        yield thread
    finally:
        server.should_exit = True
        thread.join(_ENDS_WITHIN + 1)

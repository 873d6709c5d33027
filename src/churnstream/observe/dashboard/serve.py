"""Feed and web server, for as long as the process runs."""

import socket
import threading

import uvicorn

from churnstream.config import Settings
from churnstream.errors import ConfigurationError
from churnstream.observe.dashboard.app import application
from churnstream.observe.dashboard.feed import Feed
from churnstream.observe.dashboard.records import Records
from churnstream.observe.dashboard.state import State
from churnstream.observe.dashboard.views import Views
from churnstream.streaming.stop import Stop

_ENDS_WITHIN = 2  # seconds for open pages


def listen(host: str, port: int) -> socket.socket:
    """Take the port.

    Raises:
        ConfigurationError: It cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"the page cannot be served at {host}:{port} ({error.strerror}); choose another port "
            "with --port"
        ) from error


def serve(
    settings: Settings, listener: socket.socket, stop: Stop, *, token: str | None, local: bool
) -> None:
    """Serve the page until a stop is asked for."""
    state = State()
    views = Views(settings, state, Records(settings.kafka))
    threads = Feed(settings, state, stop.requested).start()
    app = application(views, stopped=stop.requested, token=token, local=local)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=_ENDS_WITHIN
    )
    server = uvicorn.Server(config)
    # Not in the main thread: there the server would take the signals over.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while thread.is_alive() and not stop.requested():
        stop.wait(1)
    server.should_exit = True
    for one in (thread, *threads):
        one.join(_ENDS_WITHIN + 1)

"""A receiver of webhooks: a real HTTP server, which answers as a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


class Received(NamedTuple):
    """One request, and how it was answered."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def notification(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Receiver:
    """Listens on 127.0.0.1 for the length of a with-block.

    Args:
        answer: Takes a request that has no status yet; status and headers to answer with. What it
            waits, the sender waits.
    """

    def __init__(
        self, answer: Callable[[Received], tuple[int, dict[str, str]]] = lambda _: (204, {})
    ) -> None:
        self.answer = answer
        self.received: list[Received] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """Keeps connections open, as receivers do."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Answer, and keep what was received."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Received(self.path, dict(self.headers), body, 0)
                status, headers = receiver.answer(request)
                receiver.received.append(request._replace(status=status))
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            """Says nothing of senders that were killed."""

            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Say nothing."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def accepted(self) -> list[Any]:
        """The notifications that were answered with 2xx, in order."""
        return [one.notification for one in self.received if 200 <= one.status < 300]


def hang(_: Received) -> tuple[int, dict[str, str]]:
    """No answer for longer than any test waits."""
    time.sleep(120)
    return 204, {}

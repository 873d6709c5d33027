"""The port that monitoring reads: /metrics, /livez and /readyz."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import MetricsHandler

from churnstream.config import MetricsSettings
from churnstream.errors import ConfigurationError
from churnstream.observe.health import Health


class _Handler(MetricsHandler):
    """Answers /livez and /readyz with 200 or 503 and a line of text, and the rest with metrics."""

    questions: dict[str, Callable[[], str]]

    def do_GET(self) -> None:  # noqa: N802  # the library's name
        question = self.questions.get(self.path.partition("?")[0])
        if question is None:
            return super().do_GET()
        problem = question()
        body = (problem or "ok").encode() + b"\n"
        self.send_response(503 if problem else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None


@contextlib.contextmanager
def serve(settings: MetricsSettings, registry: CollectorRegistry, health: Health) -> Iterator[None]:
    """Answer for the length of a with-block, in a thread of its own; do nothing without a port.

    Raises:
        ConfigurationError: The port cannot be had.
    """
    if settings.port is None:
        yield
        return
    questions = {"/livez": health.stalled, "/readyz": health.unready}
    handler = type("Handler", (_Handler,), {"registry": registry, "questions": questions})
    try:
        server = ThreadingHTTPServer((settings.host, settings.port), handler)
    except OSError as error:
        raise ConfigurationError(
            f"metrics cannot be served at {settings.host}:{settings.port} ({error.strerror}); "
            "choose another with --metrics-port"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()

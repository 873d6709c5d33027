"""The port that monitoring reads: /metrics, /livez and /readyz."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator

from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from churnstream.observability.liveness import HealthProbe
from churnstream.observability.web_server import listen, serving
from churnstream.settings import MetricsSettings


@contextlib.contextmanager
def serve_metrics(
    settings: MetricsSettings, registry: CollectorRegistry, health: HealthProbe
) -> Iterator[None]:
    """Answer for the length of a with-block, in a thread of its own; do nothing without a port.

    Raises:
        ConfigurationError: The port cannot be had.
    """
    if settings.port is None:
        yield
        return
    listener = listen(settings.host, settings.port, "metrics", "--metrics-port")
    with serving(_application(registry, health), listener, "metrics"):
        yield


def _application(registry: CollectorRegistry, health: HealthProbe) -> Starlette:
    """Answers /livez and /readyz with 200 or 503 and a line of text, and the rest with metrics."""

    def answering(question: Callable[[], str]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            problem = question()
            return PlainTextResponse(f"{problem or 'ok'}\n", 503 if problem else 200)

        return answer

    return Starlette(
        routes=[
            Route("/livez", answering(health.stalled)),
            Route("/readyz", answering(health.unready)),
            Mount("/", make_asgi_app(registry)),
        ]
    )

"""The web application of the live page."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from importlib.resources import files

import anyio.to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from churnstream.observe.dashboard.guard import Guard
from churnstream.observe.dashboard.views import VIEWS, Address, Views
from churnstream.pages.render import render, style

_EVERY = 1.0  # seconds between two looks for what has changed
_SCRIPT = "text/javascript"


def application(
    views: Views, *, stopped: Callable[[], bool], token: str | None, local: bool
) -> Starlette:
    """The application.

    Args:
        stopped: Asked once a second by every open page; True ends it.
        token: What a browser must know; None for nothing.
        local: Whether it answers only to names of this machine.
    """

    async def page(request: Request) -> Response:
        given = dict(request.query_params)
        html = await anyio.to_thread.run_sync(_page, views, given)
        return HTMLResponse(html)

    async def changes(request: Request) -> Response:
        given = dict(request.query_params)
        stream = _changes(views, given, request, stopped)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def static(request: Request) -> Response:
        if request.url.path.endswith(".css"):
            return Response(str(style()), media_type="text/css")
        script = (files("churnstream.pages") / "live.js").read_text(encoding="utf-8")
        return Response(script, media_type=_SCRIPT)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/changes", changes),
            Route("/style.css", static),
            Route("/live.js", static),
        ],
        middleware=[Middleware(Guard, token=token, local=local)],
    )


def _page(views: Views, given: dict[str, str]) -> str:
    address = Address.of(given, views.topics)
    return render(
        "live.page.html.j2",
        views=VIEWS,
        address=address,
        pieces=views.pieces(given),
    )


async def _changes(
    views: Views, given: dict[str, str], request: Request, stopped: Callable[[], bool]
) -> AsyncIterator[str]:
    """Server-sent events: the pieces that differ from those sent before."""
    sent: dict[str, str] = {}
    while not stopped() and not await request.is_disconnected():
        pieces = await anyio.to_thread.run_sync(views.pieces, given)
        changed = {name: html for name, html in pieces.items() if sent.get(name) != html}
        sent = pieces
        yield f"data: {json.dumps(changed)}\n\n"
        await asyncio.sleep(_EVERY)

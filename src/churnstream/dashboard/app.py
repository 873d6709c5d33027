"""The web application of the live page."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from importlib.resources import files

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from churnstream.dashboard.access import AccessControl
from churnstream.dashboard.downloads import FILES, Downloads
from churnstream.dashboard.page_address import VIEWS, PageAddress
from churnstream.dashboard.page_cache import EVERY, PageCache, Pieces
from churnstream.dashboard.views import Views
from churnstream.pages.render import render, style

_MAX_VIEWERS = 200
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
    shared, downloads = PageCache(views), Downloads(views)
    viewers = 0

    async def page(request: Request) -> Response:
        address = views.address(request.query_params)
        built = await shared.get(address)
        return HTMLResponse(_page(views, address, built.pieces))

    async def changes(request: Request) -> Response:
        if viewers >= _MAX_VIEWERS:
            return PlainTextResponse("too many look at this page\n", 503)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        stream = counted(_changes(shared, views.address(request.query_params), stopped))
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def counted(stream: AsyncIterator[str]) -> AsyncIterator[str]:
        nonlocal viewers
        viewers += 1
        try:
            async for part in stream:
                yield part
        finally:
            viewers -= 1

    async def static(request: Request) -> Response:
        if request.url.path.endswith(".css"):
            return Response(str(style()), media_type="text/css")
        script = (files("churnstream.pages") / "live.js").read_text(encoding="utf-8")
        return Response(script, media_type=_SCRIPT)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/changes", changes),
            *(Route(path, downloads.answer) for path in FILES),
            Route("/style.css", static),
            Route("/live.js", static),
        ],
        middleware=[Middleware(AccessControl, token=token, local=local)],
    )


def _page(views: Views, address: PageAddress, pieces: Pieces) -> str:
    return render(
        "live_page.html.j2",
        views=VIEWS,
        address=address,
        pieces=pieces,
        headings=views.headings,
        downloads=FILES,
    )


async def _changes(
    shared: PageCache, address: PageAddress, stopped: Callable[[], bool]
) -> AsyncIterator[str]:
    """Server-sent events: the pieces that differ from those sent before."""
    sent: Pieces = {}
    while not stopped():
        built = await shared.get(address)
        # A line that browsers pass over shows whether anybody is still there.
        yield ":\n\n" if built.pieces is sent else f"data: {built.since(sent)}\n\n"
        sent = built.pieces
        await asyncio.sleep(max(0.01, built.at + EVERY - time.monotonic()))

"""Who may see the live page: everybody on this machine, and others who know the token."""

import secrets
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churnstream.pages.render import render

_COOKIE = "churnstream"
_LOCAL = {"localhost", "127.0.0.1", "[::1]"}
_HEADERS = {
    # Nothing from elsewhere is loaded, and nobody else shows this page inside his own.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class AccessControl:
    """Lets through who may pass, and adds the headers that keep the page to itself.

    Args:
        token: None lets everybody pass.
        local: Reject requests for names other than this machine's: a page from elsewhere may
            have its own name point here.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, local: bool) -> None:
        self._app, self._token, self._local = app, token, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._rejection(scope)
        await (answer or self._app)(scope, receive, send_guarded)
        return None

    def _rejection(self, scope: Scope) -> Response | None:
        """The answer to who may not pass, or must first be remembered; None to the others."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._local and (host.rpartition(":")[0] if ":" in host else host) not in _LOCAL:
            return HTMLResponse("wrong host\n", 421)
        if self._token is None or scope["path"] in ("/style.css", "/live.js"):
            return None
        # Python's own parser of cookies raises what nobody should have to expect.
        cookie = cookie_parser(headers.get("cookie", "")).get(_COOKIE)
        if cookie and self._is_right(cookie):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = query.pop("token", [""])[0]
        if self._is_right(given):
            answer = RedirectResponse("/?" + urlencode(query, doseq=True), 303)
            answer.set_cookie(_COOKIE, given, httponly=True, samesite="strict")
            return answer
        return HTMLResponse(render("token_page.html.j2", wrong=bool(given)), 401)

    def _is_right(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), (self._token or "").encode())

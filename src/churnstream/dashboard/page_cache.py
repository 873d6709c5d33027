"""What many look at is built once for all who look at the same address."""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Mapping

import anyio.to_thread

from churnstream.dashboard.page_address import PageAddress
from churnstream.dashboard.views import Views

EVERY = 1.0  # seconds between two looks for what has changed
_MAX_KEPT = 64  # addresses

Pieces = Mapping[str, str]


class BuiltPage:
    """The pieces of a page, by the id of their element, as long as none of them changes.

    Args:
        before: The pieces of the same address before.

    Attributes:
        stamp: What `Views.stamp` was when they were built.
        at: When they were last up to date, on this process's own clock.
    """

    def __init__(self, pieces: Pieces, before: Pieces, stamp: object, at: float) -> None:
        self.pieces, self.stamp, self.at = pieces, stamp, at
        self._before, self._changes = before, _differing(pieces, before)

    def since(self, sent: Pieces) -> str:
        """What differs from the pieces that were sent before, as JSON."""
        return self._changes if sent is self._before else _differing(self.pieces, sent)


def _differing(pieces: Pieces, sent: Pieces) -> str:
    return json.dumps({name: html for name, html in pieces.items() if sent.get(name) != html})


class PageCache:
    """Builds one page at a time, and the same one at most once a second."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._kept: OrderedDict[PageAddress, BuiltPage] = OrderedDict()
        self._building = asyncio.Lock()

    async def get(self, address: PageAddress) -> BuiltPage:
        """The pieces at an address, at most a second old."""
        if known := self._fresh(address):
            return known
        async with self._building:
            if known := self._fresh(address):  # somebody else has asked for it meanwhile
                return known
            return await self._build(address)

    def _fresh(self, address: PageAddress) -> BuiltPage | None:
        known, now = self._kept.get(address), time.monotonic()
        if known and now - known.at >= EVERY and known.stamp == self._views.stamp(address):
            known.at = now
        return known if known and now - known.at < EVERY else None

    async def _build(self, address: PageAddress) -> BuiltPage:
        before, at = self._kept.pop(address, None), time.monotonic()
        stamp = self._views.stamp(address)
        pieces = await anyio.to_thread.run_sync(self._views.pieces, address)
        if before and before.pieces == pieces:
            before.stamp, before.at = stamp, at
            built = before
        else:
            built = BuiltPage(pieces, before.pieces if before else {}, stamp, at)
        self._kept[address] = built
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return built

"""The customers that the live page lists, as a file to keep."""

import asyncio
from io import BytesIO
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from churnstream.dashboard.views import Views
from churnstream.files.table_writer import writer_of

FILES = {"/customers.csv": "CSV", "/customers.xlsx": "Excel"}
"""Their paths, and what they are called."""

_MAX_WAITING = 8
_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Downloads:
    """Makes one file at a time, in a thread; a few who ask meanwhile wait, others are sent away.

    Memory: some 40 MB while a file is made.

    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._making = asyncio.Lock()
        self._waiting = 0

    async def answer(self, request: Request) -> Response:
        """The file with the customers that a page with this query would list, on all its pages."""
        if self._waiting >= _MAX_WAITING:
            return PlainTextResponse("others are waiting for a file; try again soon\n", 503)
        self._waiting += 1
        try:
            async with self._making:
                content = await anyio.to_thread.run_sync(self._make, request)
        finally:
            self._waiting -= 1
        name = Path(request.url.path).name
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)

    def _make(self, request: Request) -> bytes:
        address = self._views.address(request.query_params)
        table = self._views.customers_in_file(address)
        file = BytesIO()
        with writer_of(Path(request.url.path))(file, table.schema) as writer:
            for batch in table.to_batches():
                writer.write_batch(batch)
        return file.getvalue()

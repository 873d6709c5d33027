"""Feed and web server, for as long as the process runs."""

import socket

from churnstream.dashboard.app import application
from churnstream.dashboard.feed import Feed
from churnstream.dashboard.record_view import RecordLookup
from churnstream.dashboard.state import State
from churnstream.dashboard.views import Views
from churnstream.observability.web_server import serving
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.schema.schema import Schema
from churnstream.settings import Settings

_ENDS_WITHIN = 2  # seconds for what is being read


def serve_dashboard(
    settings: Settings,
    schema: Schema,
    listener: socket.socket,
    stop: StopSignal,
    *,
    token: str | None,
    local: bool,
) -> None:
    """Serve the page of customers of a schema until a stop is asked for."""
    state = State(schema)
    views = Views(settings, state, RecordLookup(settings.kafka, state.as_json))
    threads = Feed(settings, state, stop.requested).start()
    app = application(views, stopped=stop.requested, token=token, local=local)
    with serving(app, listener, "page") as thread:
        while thread.is_alive() and not stop.requested():
            stop.wait(1)
    for one in threads:
        one.join(_ENDS_WITHIN)

"""dashboard: the live page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options

if TYPE_CHECKING:
    from churnstream.settings import Settings

# Where processors are short, the page falls behind rather than those whom it shows.
_MIN_PRIORITY = 19
_LOCAL = ("127.0.0.1", "localhost", "::1")


@click.command()
@options.setting("dashboard.host", "--host", help="Address to serve on.")
@options.setting("dashboard.port", "--port", type=int, help="Port; 0 for a free one.")
@options.setting(
    "dashboard.scrape",
    "--scrape",
    metavar="HOST:PORT,…",
    help="Metrics ports of producers and consumers to show.",
)
@options.kafka
@options.with_settings
def dashboard(settings: Settings) -> None:
    """Show the flow as a live page in the browser, until Ctrl-C.

    Reads the topics from their earliest offset; needs no consumer group and writes nothing. On any
    address but this machine's own it asks for a token, which is printed at the start unless the
    settings have one.

    \b
    Example: churnstream dashboard --broker 127.0.0.1:9092
    """
    import os
    import secrets

    from churnstream.cli.customer_source import schema_of
    from churnstream.dashboard.serve import serve_dashboard
    from churnstream.kafka.client import require_valid
    from churnstream.observability.web_server import listen

    schema = schema_of(settings)
    require_valid(settings.kafka)  # the page itself would only say so in the browser
    os.nice(_MIN_PRIORITY)
    stop = options.process_stop()
    own = settings.dashboard
    local = own.host in _LOCAL
    token = own.token or (None if local else secrets.token_urlsafe(16))
    listener = listen(own.host, own.port, "the page", "--port")
    port = listener.getsockname()[1]
    said = "" if own.token or token is None else f"?token={token}"
    click.echo(f"the page is at http://{own.host}:{port}/{said}; stop it with Ctrl-C")
    serve_dashboard(settings, schema, listener, stop, token=token, local=local)

"""broker: an embedded one, to try and to test with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options

if TYPE_CHECKING:
    from churnstream.settings import Settings


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9092,
    show_default=True,
    help="Port of 127.0.0.1; 0 for a free one.",
)
@click.option("--create-topics/--no-create-topics", default=True, help="Create the topics too.")
@options.with_settings
def broker(settings: Settings, port: int, create_topics: bool) -> None:
    """Run the embedded broker in the foreground, until Ctrl-C.

    In memory: everything is gone when it stops. For trying and testing.

    \b
    Example: churnstream broker --port 9092
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.topic_layout import create
    from churnstream.testing.embedded import embedded_broker

    stop = options.process_stop()
    with embedded_broker(port) as address:
        if create_topics:
            kafka = settings.kafka.model_copy(update={"brokers": address})
            create(Admin(kafka), settings)
        click.echo(f"broker ready at {address}; stop it with Ctrl-C")
        stop.wait()

"""Where the process begins: it hears a stop signal before the imports that take a while.

Process number 1 of a container has no default action for a signal: one that comes while nobody
listens is dropped, and whoever sent it waits in vain.
"""

from churnstream.pipeline.stop_signal import StopSignal


def main() -> None:
    """Run the command line."""
    stop = StopSignal()
    stop.listen()

    from churnstream.cli import run

    run(stop)

"""The command line: one short function per command, which wires the parts together.

Heavy imports stay inside the commands, so that `churnstream --help` answers at once.
"""

import logging
import os
import sys
from contextlib import suppress

import click

from churnstream import extras
from churnstream.cli import (
    adopt,
    audit,
    batch_predict,
    broker,
    consume,
    dashboard,
    dead_letters,
    demo,
    drift,
    evaluate,
    export,
    health,
    init,
    options,
    predict,
    produce,
    promote,
    report,
    schemas,
    standard_streams,
    topics,
    train,
)
from churnstream.errors import ChurnstreamError
from churnstream.pipeline.stop_signal import StopSignal

_LONGEST_ERROR = 2000


class CommandGroup(click.Group):
    """Says which extra of the package a command lacks."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that is named."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if lacking := extras.lacking(error, ctx.invoked_subcommand or ""):
                raise lacking from error
            raise


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="churnstream")
@click.pass_context
def cli(context: click.Context) -> None:
    """Score customers for churn as their events pass through Kafka.

    \b
    Try it:         churnstream demo
    Your customers: churnstream init customers.csv
    Run it:         churnstream train
                    churnstream topics create --broker HOST:9092
                    churnstream consume --broker HOST:9092
                    churnstream produce --broker HOST:9092 --events-per-sec 100

    Settings come from defaults, config.yaml, CHURNSTREAM_… variables and flags; later ones win.
    Exit codes: 0 done, 1 failed, 2 wrong use or configuration.
    """
    if context.invoked_subcommand not in _FINISH_FIRST:
        options.process_stop().end_at_once()


# These hear of a stop signal and finish what they have in hand; it ends all others.
_FINISH_FIRST = {"broker", "consume", "dashboard", "produce"}

for command in (
    init.init,
    demo.demo,
    broker.broker,
    topics.topics,
    train.train,
    adopt.adopt,
    promote.promote,
    predict.predict,
    batch_predict.batch_predict,
    produce.produce,
    consume.consume,
    report.report,
    export.export,
    audit.audit,
    drift.drift,
    evaluate.evaluate,
    dead_letters.dead_letters,
    health.health,
    schemas.schemas,
    dashboard.dashboard,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    stop = StopSignal()
    stop.listen()
    run(stop)


def run(stop: StopSignal) -> None:
    """Run the command line; every failure is one line on stderr and an exit code.

    Args:
        stop: Has been listening since the process began.
    """
    standard_streams.settle()
    try:
        sys.exit(_run(stop))
    except BaseException as end:
        _leave_hanging_clients(end)
        raise


def _run(stop: StopSignal) -> int:
    try:
        return cli.main(standalone_mode=False, obj=stop) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see: {context.command_path} --help" if context else ""
        return _failed(error.format_message().rstrip(".") + hint, error.exit_code)
    except click.Abort:
        return _failed("interrupted", 1)
    except ChurnstreamError as error:
        if _is_debugging():
            raise
        return _failed(str(error), error.exit_code)
    except OSError as error:
        if _is_debugging():
            raise
        standard_streams.silence_stdout()
        return _failed(error.strerror or str(error), 1)


def _leave_hanging_clients(end: BaseException) -> None:
    """End at once if a client hangs: Python would take it apart first, and wait for it for ever."""
    guard = sys.modules.get("churnstream.kafka.guarded_call")  # there if Kafka was used
    if guard is not None and guard.is_hanging():
        code = end.code if isinstance(end, SystemExit) else 1
        if not isinstance(end, SystemExit):
            sys.excepthook(type(end), end, end.__traceback__)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ChurnstreamError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)


def _is_debugging() -> bool:
    return logging.getLogger("churnstream").isEnabledFor(logging.DEBUG)


def _failed(message: str, code: int) -> int:
    from churnstream.escaping import printable

    click.echo(f"Error: {printable(' '.join(message.split()), _LONGEST_ERROR)}", err=True)
    return code

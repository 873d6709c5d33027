"""What commands show and keep of a window of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.errors import ChurnstreamError, ConfigurationError

if TYPE_CHECKING:
    from churnstream.analysis.window_report import WindowReport
    from churnstream.pipeline.prediction_history import PredictionHistory
    from churnstream.schema.schema import Schema
    from churnstream.settings import Settings


def try_summary(settings: Settings) -> None:
    """Find out whether the summary can be written, while nothing is committed yet.

    Raises:
        ConfigurationError: JSON and page would be the same file.
        ChurnstreamError: One of them cannot be written.
    """
    from churnstream.analysis.result_files import require_writable

    path = settings.summary.path
    require_writable(path)
    page = path.with_suffix(".html")
    if page == path:
        raise ConfigurationError(f"--summary {path} is where the page goes; name a .json file")
    require_writable(page)


def show_report(report: WindowReport, schema: Schema, settings: Settings) -> None:
    """Show a summary and keep it, as JSON and as a page; it is shown whether it is kept or not.

    Raises:
        ChurnstreamError: It cannot be kept.
    """
    from rich.console import Console

    from churnstream.analysis.report_page import write_report
    from churnstream.analysis.summary import write_summary
    from churnstream.analysis.summary_table import render_summary

    path = settings.summary.path
    page = path.with_suffix(".html")
    problem: ChurnstreamError | None = None
    try:
        write_summary(report.summary, path)
        write_report(schema, report.summary, report.findings, page)
    except ChurnstreamError as error:
        problem = error
    try:
        render_summary(schema, report.summary, Console())
    finally:  # also where nobody reads what is shown
        if problem:
            raise problem
    click.echo(f"summary written to {path}, and as a page to {page}")
    if dead := report.summary.dead_lettered:
        click.echo(
            f"{dead:,} dead letters are in {settings.topics.deadletter}; look "
            f"with: {options.again('dead-letters list', settings)}"
        )


def say_foreign(history: PredictionHistory, settings: Settings) -> None:
    """Say which records were passed over, since they are not what churnstream writes there."""
    names = {settings.topics.output: "predictions", settings.topics.deadletter: "dead letters"}
    for topic, count in history.foreign.items():
        say_passed_over(count, topic, names[topic])


def say_passed_over(count: int, topic: str, what: str) -> None:
    """Say how many records of a topic are none of ours, if there are any.

    Args:
        what: They should be: predictions, dead letters.
    """
    if count == 1:
        click.echo(
            f"passed over: 1 record in {topic} that is no {what.removesuffix('s')}", err=True
        )
    elif count:
        click.echo(f"passed over: {count:,} records in {topic} that are no {what}", err=True)

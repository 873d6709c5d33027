"""report: sum up predictions that are in the topic already."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING

import click

from churnstream.cli import options
from churnstream.cli.customer_source import schema_of
from churnstream.cli.window_results import say_foreign, show_report, try_summary

if TYPE_CHECKING:
    from churnstream.analysis.window_report import WindowReport
    from churnstream.model.scorer import Model
    from churnstream.pipeline.prediction_history import PredictionHistory
    from churnstream.schema.schema import Schema
    from churnstream.settings import Settings


@click.command()
@options.window
@options.model
@options.summary
@options.kafka
@options.with_settings
def report(settings: Settings) -> None:
    """Sum up predictions that are in the topic already.

    The window speaks of events: their time, or their offsets in the input topic.

    \b
    Example: churnstream report --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.offset_ranges import offset_range
    from churnstream.pipeline.prediction_history import PredictionHistory

    try_summary(settings)
    admin = Admin(settings.kafka)
    model, missing = _model_at_hand(settings)
    schema = model.schema if model else schema_of(settings)
    history = PredictionHistory(settings, schema, admin, *offset_range(settings, admin))
    result = _summarise(history, schema, settings, model, missing)
    say_foreign(history, settings)
    show_report(result, schema, settings)


def _summarise(
    history: PredictionHistory,
    schema: Schema,
    settings: Settings,
    model: Model | None,
    missing: str,
) -> WindowReport:
    from churnstream.analysis.window_report import WindowReportBuilder

    begin = time.monotonic()
    batches = history.scored()
    first = next(batches, None)  # now the versions are known
    if model and model.version not in history.versions:
        model, missing = None, f"The model in {settings.model.path} is not the one that scored."
    builder = WindowReportBuilder(schema, model, top_k=settings.summary.top_k, missing=missing)
    for batch in chain([first] if first else [], batches):
        builder.add(*batch)
    for rejection, partition, offset in history.rejected():
        builder.add_rejected([rejection], [partition], [offset])
    return builder.build(
        model_versions=list(history.versions),
        threshold=None,
        duration_s=time.monotonic() - begin,
    )


def _model_at_hand(settings: Settings) -> tuple[Model | None, str]:
    """The model in the folder, or why there is none."""
    from churnstream.errors import ModelError
    from churnstream.model.source import load_for_topic

    try:
        return load_for_topic(settings), ""
    except ModelError as error:
        return None, f"Not at hand: {error}."

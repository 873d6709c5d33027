"""Timestamps on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click


def timestamp(text: str) -> datetime:
    """An RFC 3339 timestamp or a date; UTC if it does not say.

    Raises:
        click.BadParameter: It is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no timestamp such as 2026-11-23T08:00:00Z"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)

"""From flags to settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from churnstream.settings import Settings


def taken_from(
    config: Path | None, properties: tuple[str, ...], values: dict[str, Any]
) -> Settings:
    """The settings that flags make with the other sources; takes those flags out of `values`."""
    from churnstream.kafka.properties import check_properties
    from churnstream.observability.logs import configure
    from churnstream.settings_sources import load

    flags: dict[str, dict[str, Any]] = {}
    for name in [name for name in values if "__" in name]:
        value = values.pop(name)
        section, _, key = name.partition("__")
        if value not in (None, ()):  # the latter: a repeatable flag that is not given
            flags.setdefault(section, {})[key] = value
    if properties:
        flags.setdefault("kafka", {})["client"] = dict(map(_property, properties))
    settings = load(config, flags)
    check_properties(settings.kafka.client)
    configure(settings.log.level, settings.log.format)
    return settings


def named(settings: Settings) -> Settings:
    """With names for the customers of the schema, where it is not that of Telco."""
    from churnstream.schema import schema_file
    from churnstream.settings import named_after

    path = schema_file.find(settings.customers.schema_file)
    if path == schema_file.TELCO_FILE:
        return settings
    return named_after(settings, schema_file.read(path).name)


def _property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        # The text is not repeated: it may be a password.
        raise click.BadParameter("expected NAME=VALUE", param_hint="-X")
    return name, value

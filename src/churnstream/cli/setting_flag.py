"""A flag that sets a setting: help says the default that the settings have."""

from __future__ import annotations

from typing import Any

import click


class SettingFlag(click.Option):
    """A flag for the setting `section.name`, without a default of its own.

    The default stands in help alone, taken from the settings when help is shown: nothing else needs
    them so early, and they take a while to load. Yes or no is said in words, and so is what happens
    where no value is the default.
    """

    _said = ""

    @property
    def help(self) -> str:
        """What it is for, with the setting's default in brackets."""
        default = self._default_in_words()
        if not default:
            return self._said
        end = "." if self._said.endswith(".") else ""
        return f"{self._said.removesuffix('.')} [{default}]{end}".strip()

    @help.setter  # noqa: A003  # as click calls it
    def help(self, text: str | None) -> None:
        self._said = text or ""

    def _default_in_words(self) -> str:
        from churnstream.settings import Settings

        section, _, name = (self.name or "").partition("__")
        value: Any = getattr(getattr(Settings(), section), name)
        if value in (None, ()) or isinstance(value, bool):
            return ""
        return f"{value:g}" if isinstance(value, float) else str(value)

"""Texts from outside for a terminal, a log or a header: shortened, and nothing to obey in them."""

import json

_QUOTED_LENGTH = 40


def printable(text: str, max_length: int = 500) -> str:
    """A text for a terminal or a line of text.

    What controls a terminal or turns the direction of writing is shown as an escape.

    Args:
        max_length: Characters to keep.
    """
    if len(text) <= max_length and text.isprintable():
        return text
    shown = text[:max_length]
    if not shown.isprintable():
        escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
        shown = "".join(escaped)
    return shown if max(len(text), len(shown)) <= max_length else shown[:max_length] + "..."


def quote(text: str) -> str:
    """A value from outside in quotes, fit for one line of a header or a log."""
    shown = text if len(text) <= _QUOTED_LENGTH else text[:_QUOTED_LENGTH] + "..."
    return json.dumps(shown, ensure_ascii=True)

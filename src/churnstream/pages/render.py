"""Templates into HTML."""

import functools
import re
from datetime import UTC, datetime
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from churnstream.pages import charts

_NOTHING = "-"
_MAX_LENGTH = 100
_NO_TIME = "–"  # noqa: RUF001  # a dash
# What no text on a page needs: control characters, and those that turn the direction of writing.
_OBEYED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("churnstream.pages", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "timestamp": timestamp,
        "span": span,
        "words": words,
        "clock": clock,
        "brief": brief,
        "duration": duration,
    }
    environment.globals |= {"charts": charts}
    return environment


def _readable(value: Any) -> Any:  # noqa: ANN401  # whatever a template shows
    """Texts from records with what is to be obeyed in them shown as escapes; all else as it is."""
    if type(value) is not str or value.isprintable():
        return value
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


def render(template: str, **values: Any) -> str:  # noqa: ANN401  # whatever the template needs
    """Fill in a template of this folder; text is escaped."""
    return _environment().get_template(template).render(**values)


def macro(template: str, name: str, **values: Any) -> str:  # noqa: ANN401
    """Call a macro of a template with one argument: an object with these values."""
    found = getattr(_environment().get_template(template).module, name)
    return str(found(SimpleNamespace(**values)))


def style() -> Markup:
    """The style sheet of all pages."""
    return Markup((files(__package__) / "style.css").read_text(encoding="utf-8"))  # noqa: S704  # our own file


def number(value: float | None, decimals: int = 0) -> str:
    """With thousands separated; astronomic ones shortened."""
    if value is None:
        return _NOTHING
    return f"{value:,.{decimals}f}" if abs(value) < 1e12 else f"{value:.2e}"  # noqa: PLR2004


def percent(share: float | None, decimals: int = 1) -> str:
    """A share of 1 as percent."""
    return _NOTHING if share is None else f"{100 * share:.{decimals}f} %"


def timestamp(when: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return _NOTHING if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span(window: tuple[datetime | None, datetime | None]) -> str:
    """From one time in UTC to another; what both have in common is said once."""
    first, last = map(timestamp, window)
    if first == last:
        return first
    day, _, clock_time = last.partition(" ")
    return f"{first.removesuffix(' UTC')} to {clock_time if first.startswith(day) else last}"


def brief(text: str) -> str:
    """The beginning of a text that may be of any length."""
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"


def clock(seconds: float) -> str:
    """The time of day of a timestamp in seconds since 1970, UTC; of the years 1 to 9999 only."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return _NO_TIME


def duration(seconds: float | None) -> str:
    """A length of time in the unit that suits it."""
    if seconds is None:
        return _NOTHING
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def words(name: str) -> str:
    """A name of the code as words."""
    return name.replace("_", " ")

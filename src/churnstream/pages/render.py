"""Templates into HTML."""

import functools
from datetime import UTC, datetime
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from churnstream.pages import charts

_NOTHING = "-"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("churnstream.pages", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "moment": moment,
        "span": span,
        "words": words,
        "clock": clock,
        "short": short,
        "duration": duration,
    }
    environment.globals |= {"charts": charts}
    return environment


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


def moment(when: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return _NOTHING if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span(window: tuple[datetime | None, datetime | None]) -> str:
    """From one time in UTC to another; what both have in common is said once."""
    first, last = map(moment, window)
    if first == last:
        return first
    day, _, clock_time = last.partition(" ")
    return f"{first.removesuffix(' UTC')} to {clock_time if first.startswith(day) else last}"


def short(reason: str) -> str:
    """A reason under a heading that says what reasons do: without the same words again."""
    text = reason.removesuffix(" raises the risk").removeprefix("A ")
    return text[:1].lower() + text[1:] if reason.startswith("A ") else text


def clock(seconds: float) -> str:
    """The time of day of a moment in seconds since 1970, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}"


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

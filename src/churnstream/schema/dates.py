"""Days as people write them: in numbers, in whatever order, or with the month by its name."""

import re
from datetime import date
from typing import Literal

Order = Literal["year-first", "day-first", "month-first"]
"""What comes first where a date is written in numbers."""

_TIME = r"(?:[T ]+\d{1,2}:\d{2}.*)?"
_ISO = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})(?:[-/.](\d{{1,2}}){_TIME})?", re.ASCII)
_NUMERIC = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_TIME}", re.ASCII)
_DAY_MONTH = re.compile(rf"(\d{{1,2}})\.?[- ]?([^\W\d_]{{3,9}})\.?,?[- ]?(\d{{4}}|\d{{2}}){_TIME}")
_MONTH_DAY = re.compile(rf"([^\W\d_]{{3,9}})\.? (\d{{1,2}}),? (\d{{4}}){_TIME}")
_MONTHS = (
    "january januar jänner",
    "february februar",
    "march märz maerz mrz",
    "april",
    "may mai",
    "june juni",
    "july juli",
    "august",
    "september sept",
    "october oktober okt",
    "november",
    "december dezember dez",
)
_SHORT = 3  # letters that tell a month
_CENTURY = 69  # two digits from here on are of the last one, as POSIX has it


def date_in(text: str, order: Order) -> date | None:
    """The day that a text names; of a timestamp, the day that stands there.

    Args:
        order: What comes first in 03/04/2026. Four digits in front are a year in any case, and
            a month's name needs no order.

    Two digits of a year are 1969 to 2068, as POSIX reads them. A month is its first day.
    """
    if match := _ISO.fullmatch(text):
        year, month, day = match[1], match[2], match[3] or "1"
    elif match := _NUMERIC.fullmatch(text):
        if order == "year-first":
            return None  # which of the two is the month, nobody knows
        first, _, second, year = match.groups()
        day, month = (second, first) if order == "month-first" else (first, second)
    elif match := _DAY_MONTH.fullmatch(text):
        day, month, year = match[1], _month(match[2]), match[3]
    elif match := _MONTH_DAY.fullmatch(text):
        day, month, year = match[2], _month(match[1]), match[3]
    else:
        return None
    try:
        return date(_full(year), int(month), int(day))
    except ValueError:
        return None


def is_numeric_date(text: str) -> bool:
    """Whether a text is a date of which only the order is to be told."""
    return bool(_NUMERIC.fullmatch(text))


def _month(name: str) -> str:
    """The number of a month that is named, in English or German; 0 if it is none."""
    small = name.lower()
    for number, names in enumerate(_MONTHS, start=1):
        if any(small == n or small == n[:_SHORT] for n in names.split()):
            return str(number)
    return "0"


def _full(year: str) -> int:
    """A year of two digits as one of four."""
    number = int(year)
    if len(year) > 2:  # noqa: PLR2004
        return number
    return number + (1900 if number >= _CENTURY else 2000)

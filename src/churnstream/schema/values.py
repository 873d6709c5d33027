"""What a value means, by the type of its field: the one place where that is decided.

A value comes as text from a file, as a JSON value from an event, or as Python's own from a frame.
It means the same in each: `1`, `1.0` and `"1"` are one whole number; `true`, `Yes` and `1` one
flag. What is read is written in one way, see `Value`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from math import inf, isfinite
from typing import Any, Literal, NamedTuple

from churnstream.escaping import quote
from churnstream.schema.dates import date_in, is_numeric_date
from churnstream.schema.fields import (
    AnyField,
    Boolean,
    Category,
    Date,
    Integer,
    Number,
    Value,
    written,
)

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "nil", "<na>", "?", "\\n"})
"""Texts, in small letters, that say that there is no value."""

NO_NUMBER = MISSING | {
    *("-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "."),
    *("none", "unknown", "missing", "not available", "not applicable"),
    *("n.a.", "n.a", "n. a.", "k.a.", "k. a.", "unbekannt", "keine angabe"),
}
"""The same beside numbers and dates, where they cannot be a value of their own."""

FLAGS = (
    ("no", "yes"),
    ("n", "y"),
    ("false", "true"),
    ("f", "t"),
    ("off", "on"),
    ("0", "1"),
    ("nein", "ja"),
    ("n", "j"),
    ("falsch", "wahr"),
    ("non", "oui"),
    ("faux", "vrai"),
    ("no", "si"),
    ("no", "sí"),
    ("no", "sì"),
    ("não", "sim"),
)
"""How no and yes are written, in small letters."""

_NO, _YES = (frozenset(words) for words in zip(*FLAGS, strict=True))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SIGN = r"(?:[$€£¥₹]|USD|EUR|GBP|CHF)"
_CURRENCY = re.compile(rf"^([+-]?)\s*{_SIGN}\s*|\s*{_SIGN}$")
_WHOLE = re.compile(r"([+-]?\d+)\.0+", re.ASCII)
_WHICH_FIRST = "; order: day-first or month-first in the schema says which of them it is"
_MAX_DIGITS = 400  # of a whole number that is converted exactly
_MAX_BITS = 1300  # of a whole number that is written in decimal digits, some 400 of them
_TOO_LARGE = "is larger than any number that is computed with"
_EXACT = 2.0**53  # up to here a float holds every whole number
_QUOTED_LENGTH = 40
_MAX_LISTED = 20  # values of a category in an error message


class Problem(NamedTuple):
    """Why a value cannot be read.

    Attributes:
        reason: A code for filters and counters.
        detail: In words that follow the field's name.
    """

    reason: Literal["invalid_value", "out_of_range", "unknown_category", "wrong_type"]
    detail: str


def read(field: AnyField, raw: Any) -> Value | Problem:  # noqa: ANN401  # whatever stands there
    """The value of a field, as events hold it, or why there is none.

    Args:
        raw: None, a text, a number, a flag, or a date.
    """
    if _is_missing(field, raw):
        if field.may_be_missing:
            return None
        if not isinstance(raw, str):  # a text may still be shown beside those that are known
            return Problem("wrong_type", _expected(field, raw))
    found: Value | Problem = _READERS[type(field)](field, raw)
    return found


def _is_missing(field: AnyField, raw: object) -> bool:
    if isinstance(raw, float):
        return raw != raw  # noqa: PLR0124  # how frames say that there is none
    if not isinstance(raw, str):
        return raw is None
    if isinstance(field, Category | Boolean):
        return raw not in (field.values or ()) and is_missing_text(raw)
    return raw.strip().lower() in NO_NUMBER


def is_missing_text(text: str) -> bool:
    """Whether a text says that there is no value."""
    return text.strip().lower() in MISSING


def _expected(field: AnyField, raw: object) -> str:
    return f"expected {_KINDS[type(field)]}, got {shown(raw)}"


def _no_value(field: AnyField, raw: object) -> Problem:
    """A text might have held a value of this type; anything else could not."""
    return Problem("invalid_value" if isinstance(raw, str) else "wrong_type", _expected(field, raw))


def _number(field: Number, raw: object) -> float | Problem:
    number = as_number(raw)
    if number is None:
        return _no_value(field, raw)
    try:
        value = float(number)
    except OverflowError:
        value = inf
    if not isfinite(value):
        return Problem("out_of_range", _TOO_LARGE)
    return _outside(field, value) or value


def _integer(field: Integer, raw: object) -> int | Problem:
    number = as_number(raw)
    if number is None:
        return _no_value(field, raw)
    if isinstance(number, float) and not isfinite(number):
        return Problem("out_of_range", _TOO_LARGE)
    if isinstance(number, float) and not number.is_integer():
        return Problem("wrong_type", _expected(field, raw))
    value = int(number)
    return _outside(field, value) or value


def _outside(field: Integer | Number, number: float) -> Problem | None:
    if number < field.min:
        return Problem("out_of_range", f"expected {plain(field.min)} or more, got {shown(number)}")
    if number > field.max:
        return Problem("out_of_range", f"expected {plain(field.max)} or less, got {shown(number)}")
    return None


def as_number(raw: object) -> float | int | None:
    """The number that a value is or that its text holds; None if it is none.

    Stricter than `float()`: no "nan", no "1_0". A currency sign around it is no part of it.
    """
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int | float):
        return raw
    if not isinstance(raw, str):
        return None
    text = _CURRENCY.sub(r"\1", raw.strip())
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdecimal() and len(text) <= _MAX_DIGITS:
        return int(text)
    return float(text)


def _category(field: Category, raw: object) -> str | Problem:
    spellings = _spellings(raw)
    if not spellings:
        return Problem("wrong_type", _expected(field, raw))
    known = field.values or ()
    for text in spellings:
        if text in known:
            return text
    if flag := _same_flag(spellings[-1], known):
        return flag
    if not known or field.unknown == "other":
        return _no_value(field, raw) if is_missing_text(spellings[0]) else spellings[0]
    if not isinstance(raw, str) and all(as_number(value) is None for value in known):
        return Problem("wrong_type", _expected(field, raw))
    listed = ", ".join(map(quote, known[:_MAX_LISTED])) + (", ..." * (len(known) > _MAX_LISTED))
    return Problem("unknown_category", f"{shown(raw)} is unknown to the model; it knows {listed}")


def _boolean(field: Boolean, raw: object) -> Value | Problem:
    spellings = _spellings(raw)
    if not spellings:
        return Problem("wrong_type", _expected(field, raw))
    no, yes = written(field)
    for text in spellings:
        if text in field.values:
            return (no, yes)[field.values.index(text)]
    for meaning, words in ((no, _NO), (yes, _YES)):
        if spellings[-1].lower() in words:
            return meaning
    if type(raw) is not type(no):
        return Problem("wrong_type", _expected(field, raw))
    return Problem("unknown_category", f"{shown(raw)} is none of {shown(no)}, {shown(yes)}")


def _spellings(raw: object) -> list[str]:
    """The texts that a value may stand for: as it is, without blanks around, `1.0` as `1`."""
    text = plain(raw)
    if text is None:
        return []
    stripped = text.strip()
    whole = _WHOLE.fullmatch(stripped)
    return [text, stripped, whole[1]] if whole else [text, stripped]


def _same_flag(text: str, known: tuple[str, ...]) -> str | None:
    """The one among the known values that means yes, or no, as the text does.

    Only where both stand there: the F of F and M is no "false".
    """
    by_letters = {value.lower(): value for value in known}
    pairs = [pair for pair in FLAGS if by_letters.keys() >= set(pair)]
    if len(pairs) != 1:
        return None
    for meaning, words in zip(pairs[0], (_NO, _YES), strict=True):
        if text.lower() in words:
            return by_letters[meaning]
    return None


def _date(field: Date, raw: object) -> date | Problem:
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    if not isinstance(raw, str):
        return _no_value(field, raw)
    found = date_in(raw.strip(), field.order)
    if found is None and field.order == "year-first" and is_numeric_date(raw.strip()):
        return Problem("invalid_value", _expected(field, raw) + _WHICH_FIRST)
    if found is None and is_numeric_date(raw.strip()):
        said = f"{_expected(field, raw)}; the schema says that dates are {field.order}"
        return Problem("invalid_value", said)
    return found or _no_value(field, raw)


def plain(raw: object) -> str | None:
    """A value as the text that a file would hold, or None for a list, an object and the like.

    `1.0` is `1` and `True` is `true`, so that what means the same reads the same.
    """
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, float) and raw.is_integer() and abs(raw) < _EXACT:
        return str(int(raw))
    if isinstance(raw, float):
        return repr(raw)
    if isinstance(raw, int):
        return str(raw) if raw.bit_length() < _MAX_BITS else hex(raw)[:_MAX_DIGITS]
    return raw.isoformat() if isinstance(raw, date) else None


def shown(raw: object) -> str:
    """A value from outside, for an error message."""
    if isinstance(raw, str):
        return quote(raw)
    if raw is None:
        return "null"
    text = plain(raw)
    return _JSON_KINDS.get(type(raw), "something else") if text is None else text[:_QUOTED_LENGTH]


_READERS: Mapping[type, Callable[[Any, Any], Value | Problem]] = {
    Number: _number,
    Integer: _integer,
    Category: _category,
    Boolean: _boolean,
    Date: _date,
}
_KINDS = {
    Number: "a number",
    Integer: "a whole number",
    Category: "a text",
    Boolean: "yes or no",
    Date: "a date such as 2026-12-31",
}
_JSON_KINDS: Mapping[type, str] = {dict: "an object", list: "an array"}

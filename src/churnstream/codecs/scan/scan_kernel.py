"""Reads the usual events of a batch into columns, without an object for each.

Plain Python on numbers and arrays, which numba translates into machine code and keeps on disk.
Nothing here allocates memory or raises, and the interpreter is free meanwhile.

A reading follows the layout, literal by literal and value by value, and gives an event up at the
first byte that is not as expected: what is unusual is for the typed decoder to read, or to say what
is wrong with it. What is read here, that one would read to the same values:

    a word      one of those that the schema lists, byte by byte, or null
    a number    at most 15 digits, so that both it and its power of ten are exact and their
                quotient is the nearest number there is; no exponent; within its bounds; or null
    a day       2026-01-02, if the calendar has it, as a number
    a time      a day, T03:04:05, a fraction of up to 6 digits, Z
    an id       ASCII without quotation marks, backslashes and control characters; equal to the key
    a text      likewise, of a member that no customer needs
"""
# ruff: noqa: PLR2004  # places within a time

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from churnstream.codecs.scan.byte_texts import ByteTexts, Numbers
from churnstream.codecs.scan.scan_layout import DAY, DECIMAL, ID, TIME, WORD, ScanPlan

Function = TypeVar("Function", bound=Callable[..., Any])
Bytes = NDArray[np.uint8]
Eights = NDArray[np.uint64]


def translated(function: Function) -> Function:
    """What numba makes of a function; kept on disk if there is a folder that may be written to."""
    made: Any
    try:
        made = njit(cache=True, nogil=True)(function)
    except RuntimeError:
        made = njit(nogil=True)(function)
    found: Function = made
    return found


_QUOTE, _BACKSLASH, _BLANK, _DELETE = 34, 92, 32, 127
_ZERO, _NINE, _MINUS, _DOT, _COLON, _T, _Z = 48, 57, 45, 46, 58, 84, 90
_MAX_DIGITS = 15
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(8)], np.uint64)
_TENS = 10.0 ** np.arange(_MAX_DIGITS + 1)
_NOT_READ = 0  # where nothing begins


class ScanColumns(NamedTuple):
    """What is written of n events.

    Attributes:
        words: The numbers of words, (fields, n).
        numbers: (fields + 1, n); NaN for null, and behind the others the event's day.
        places: Where id and time begin and end, without quotation marks, (n, 4).
        is_read: Whether the event is as expected, (n,).
    """

    words: Numbers
    numbers: NDArray[np.float64]
    places: Numbers
    is_read: NDArray[np.bool_]


@translated
def scan(  # noqa: C901, PLR0912 - one loop, in which each step takes some nanoseconds
    events: ByteTexts, keys: ByteTexts, plan: ScanPlan, columns: ScanColumns
) -> None:
    """Read events, each with its record's key."""
    # Arrays by themselves: each look into a tuple would count references.
    text, eights, literals, words = events.content, events.eights, plan.literals, plan.words
    literal_eights, literal_ends = literals.eights, literals.ends
    word_eights, word_ends, key_eights, key_ends = words.eights, words.ends, keys.eights, keys.ends
    kinds, first_word, bounds, own_column = plan.kinds, plan.first_word, plan.bounds, plan.columns
    word_columns, number_columns, places = columns.words, columns.numbers, columns.places
    values = len(kinds)
    for row in range(len(columns.is_read)):
        at, end = events.ends[row], events.ends[row + 1]
        for value in range(values + 1):
            begin, size = literal_ends[value], literal_ends[value + 1] - literal_ends[value]
            if at + size > end or not _is_same(eights, at, literal_eights, begin, size):
                break
            at += size
            if value == values or at == end:
                columns.is_read[row] = value == values and at == end
                break
            kind, column = kinds[value], own_column[value]
            first, last = first_word[value], first_word[value + 1]
            word = _word(eights, at, end, word_eights, word_ends, first, last)
            if word >= 0:
                at += word_ends[word + 1] - word_ends[word]
                if kind == WORD:
                    word_columns[column, row] = word - first
                else:  # null
                    number_columns[column, row] = np.nan
            elif kind == WORD:
                break
            elif kind <= DAY:
                at, number_columns[column, row] = _number(text, at, end, kind, bounds, value)
            elif kind == TIME:
                begin = at + 1
                at, number_columns[-1, row] = _time(text, at, end)
                places[row, 2], places[row, 3] = begin, at - 1
            else:
                begin = at + 1
                at = _behind_text(text, at, end)
                if kind == ID:
                    places[row, 0], places[row, 1] = begin, at - 1
                    at *= _is_key(eights, begin, at - 1, key_eights, key_ends, row)
            if at == _NOT_READ:
                break


@translated
def _is_same(eights: Eights, at: int, others: Eights, begin: int, size: int) -> bool:
    """Whether so many bytes are the same."""
    whole = size - size % 8
    for k in range(0, whole, 8):
        if eights[at + k] != others[begin + k]:
            return False
    differ = eights[at + whole] ^ others[begin + whole]
    return bool(differ & _MASKS[size - whole] == 0)


@translated
def _is_key(eights: Eights, begin: int, end: int, keys: Eights, ends: Numbers, row: int) -> bool:
    """Whether an id is the record's key."""
    own, size = ends[row], ends[row + 1] - ends[row]
    return 0 < size == end - begin and _is_same(eights, begin, keys, own, size)


@translated
def _word(
    eights: Eights, at: int, end: int, words: Eights, ends: Numbers, first: int, last: int
) -> int:
    """Which of some words stands there; -1 if none does."""
    for word in range(first, last):
        size = ends[word + 1] - ends[word]
        if at + size < end and _is_same(eights, at, words, ends[word], size):
            return word
    return -1


@translated
def _number(
    text: Bytes, at: int, end: int, kind: int, bounds: NDArray[np.float64], value: int
) -> tuple[int, float]:
    """Where a number or day within its bounds ends, and which it is."""
    if kind == DAY:
        return _day(text, at, end)
    at, found = _figure(text, at, end, kind == DECIMAL)
    return (at if bounds[value, 0] <= found <= bounds[value, 1] else _NOT_READ), found


@translated
def _figure(text: Bytes, at: int, end: int, may_have_point: bool) -> tuple[int, float]:
    """Where a number ends, and which it is; NaN, which is in no bounds, if it is none."""
    is_negative = text[at] == _MINUS
    first = at = at + is_negative
    number, point = np.int64(0), 0
    while at < end and at - first <= _MAX_DIGITS + 1:
        byte = text[at]
        if _ZERO <= byte <= _NINE:
            number = number * 10 + (np.int64(byte) - _ZERO)
        elif byte == _DOT and may_have_point and not point:
            point = at
        else:
            break
        at += 1
    behind = at - point - 1 if point else 0
    digits = at - first - (point > 0)
    is_padded = digits > 1 and text[first] == _ZERO and point != first + 1
    is_odd = digits < 1 or digits > _MAX_DIGITS or (point > 0 and behind == 0) or point == first
    if is_odd or is_padded or (is_negative and number == 0):
        return at, np.nan
    found = number / _TENS[behind]
    return at, -found if is_negative else found


@translated
def _behind_text(text: Bytes, at: int, end: int) -> int:
    if text[at] != _QUOTE:
        return _NOT_READ
    at += 1
    while at < end and _BLANK <= text[at] < _DELETE and text[at] != _BACKSLASH:
        if text[at] == _QUOTE:
            return at + 1
        at += 1
    return _NOT_READ


@translated
def _time(text: Bytes, at: int, end: int) -> tuple[int, float]:
    """Where a time ends, and its day.

    Source: RFC 3339, as far as a time is in UTC and says so with a Z.
    """
    day = np.float64(_day_number(text, at + 1)) if at + 22 <= end else 0.0
    if day == 0 or not _is_time(text, at + 11):
        return _NOT_READ, day
    first = at
    at += 20
    if text[at] == _DOT:
        at += 1
        while at < end and at < first + 27 and _ZERO <= text[at] <= _NINE:
            at += 1
        if at == first + 21:
            return _NOT_READ, day
    if text[first] == _QUOTE and at + 1 < end and text[at] == _Z and text[at + 1] == _QUOTE:
        return at + 2, day
    return _NOT_READ, day


@translated
def _day(text: Bytes, at: int, end: int) -> tuple[int, float]:
    """Where a day in quotation marks ends, and which it is."""
    if at + 12 >= end or text[at] != _QUOTE or text[at + 11] != _QUOTE:
        return _NOT_READ, np.nan
    number = _day_number(text, at + 1)
    return (at + 12 if number > 0 else _NOT_READ), np.float64(number)


@translated
def _day_number(text: Bytes, at: int) -> int:
    """Which day of the calendar stands there, as 2026-01-02; 0 if none.

    Source: the proleptic Gregorian calendar, counted in years that begin in March.
    """
    year, month, day = _digits(text, at, 4), _digits(text, at + 5, 2), _digits(text, at + 8, 2)
    days = 30 + (month + month // 8) % 2
    if month == 2:
        days = 28 + (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    is_apart = text[at + 4] == _MINUS and text[at + 7] == _MINUS
    if not (is_apart and year > 0 and 0 < month <= 12 and 0 < day <= days):
        return 0
    if month < 3:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day


@translated
def _is_time(text: Bytes, at: int) -> bool:
    """Whether a time of a day stands there, as T03:04:05."""
    hour, minute, second = (
        _digits(text, at + 1, 2),
        _digits(text, at + 4, 2),
        _digits(text, at + 7, 2),
    )
    is_apart = text[at] == _T and text[at + 3] == _COLON and text[at + 6] == _COLON
    return is_apart and 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60


@translated
def _digits(text: Bytes, at: int, count: int) -> int:
    """A number of so many digits; below 0 if one is none."""
    number = np.int64(0)
    for k in range(count):
        digit = np.int64(text[at + k]) - _ZERO
        number = number * 10 + digit if 0 <= digit < 10 else np.int64(-1_000_000)
    return int(number)

"""How the events of a topic are laid out, byte by byte, as an example of them shows it.

A producer writes its events one like the other: the same names in the same order with the same
blanks, and only the values differ. What stands between two values is a literal here; a value is of
one of a few kinds, which `churnstream.codecs.scan.scan_kernel` reads.
"""

import re
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.scan.byte_texts import ByteTexts, Numbers
from churnstream.records.rejection import UNDECODABLE
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.fields import AnyField, Category, Date, Integer, Number, known_values
from churnstream.schema.schema import Schema
from churnstream.schema.values import read

WORD, WHOLE, DECIMAL, DAY, TIME, ID, TEXT = range(7)
"""Kinds of values: one of some words; numbers and days; the event's time; the id; any text."""

_KINDS: dict[type, int] = {Integer: WHOLE, Number: DECIMAL, Date: DAY}
_MAX_WORDS = 200  # of a field; they are compared one after the other
_MEMBER = re.compile(rb'\s*[{,]\s*("[^"\\\x00-\x1f]*")\s*:\s*')
_VALUE = re.compile(rb'"[^"\\\x00-\x1f]*"|-?[0-9][0-9.eE+-]*|true|false|null')
_END = re.compile(rb"\s*}\s*")


class ScanPlan(NamedTuple):
    """What the kernel goes by, of n values.

    Attributes:
        kinds: Of the values, in the order of the event, (n,).
        columns: Of each value the column that it is written to, (n,).
        literals: What stands before each value, and behind the last.
        words: All that may stand where one of some words does, as JSON; and null where a number
            may be missing.
        first_word: Of each value, and behind the last, its first word's number, (n + 1,).
        bounds: The least and the greatest of each number, (n, 2).
    """

    kinds: Numbers
    columns: Numbers
    literals: ByteTexts
    words: ByteTexts
    first_word: Numbers
    bounds: NDArray[np.float64]


class ScanLayout(NamedTuple):
    """How events are laid out.

    Attributes:
        plan: For the kernel.
        word_fields: By column, the field whose words' numbers it holds; the last is that of null,
            where the field may be missing.
        number_fields: By column, the field whose numbers it holds, or days; NaN where missing. One
            more column holds the event's day.
    """

    plan: ScanPlan
    word_fields: list[str]
    number_fields: list[str]


class _Member(NamedTuple):
    literal: bytes
    name: str
    value: bytes


def scan_layout(example: bytes, schema: Schema) -> ScanLayout | None:
    """The layout of events like this one; None if it has none that the kernel reads.

    Args:
        example: An event that decodes.
        schema: Of the events.
    """
    found = _members(example)
    if found is None:
        return None
    members, end = found
    wanted = [schema.id, *schema.fields, EVENT_TS]
    names = [member.name for member in members]
    if len(set(names)) < len(names) or not {*wanted} <= {*names}:
        return None
    kinds = [_kind(schema, member) for member in members]
    if None in kinds:
        return None
    return _layout(schema, members, [kind for kind in kinds if kind is not None], end)


def _members(event: bytes) -> tuple[list[_Member], bytes] | None:
    """The members of a flat object, and what closes it."""
    members: list[_Member] = []
    at = 0
    while (name := _MEMBER.match(event, at)) and (value := _VALUE.match(event, name.end())):
        try:
            text = msgspec.json.decode(name[1], type=str)
        except UNDECODABLE:
            return None
        members.append(_Member(name[0], text, value[0]))
        at = value.end()
    end = _END.fullmatch(event, at)
    return (members, end[0]) if members and end else None


def _kind(schema: Schema, member: _Member) -> int | None:
    field = schema.fields.get(member.name)
    if member.name == schema.id:
        return ID
    if member.name == EVENT_TS:
        return TIME
    if field is None:
        return TEXT if member.value[:1] == b'"' else None
    if type(field) in _KINDS:
        return _KINDS[type(field)]
    words = _words(field)
    return WORD if words and len(words) <= _MAX_WORDS else None


def _words(field: AnyField) -> list[bytes]:
    """The words that may stand in a field, as JSON; null last."""
    known = known_values(field)
    is_odd = isinstance(field, Category) and any(read(field, text) != text for text in known)
    return [] if is_odd else list(map(msgspec.json.encode, known))


def _layout(schema: Schema, members: list[_Member], kinds: list[int], end: bytes) -> ScanLayout:
    own: dict[int, list[str]] = {WORD: [], WHOLE: [], TIME: [], ID: [], TEXT: []}
    own[DECIMAL] = own[DAY] = own[WHOLE]
    words: list[list[bytes]] = []
    columns, bounds = [], []
    for member, kind in zip(members, kinds, strict=True):
        field = schema.fields.get(member.name)
        columns.append(len(own[kind]))
        own[kind].append(member.name)
        words.append(_words(field) if field is not None else [])
        bounds.append(_bounds(field))
    plan = ScanPlan(
        np.array(kinds, np.int64),
        np.array(columns, np.int64),
        ByteTexts.of([*(member.literal for member in members), end]),
        ByteTexts.of([word for group in words for word in group]),
        np.cumsum([0, *map(len, words)], dtype=np.int64),
        np.array(bounds, np.float64),
    )
    return ScanLayout(plan, own[WORD], own[WHOLE])


def _bounds(field: AnyField | None) -> tuple[float, float]:
    return (float(field.min), float(field.max)) if isinstance(field, Integer | Number) else (0, 0)

"""A schema as a file that people read and edit; `churnstream.schema.schema_file` reads it back."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from churnstream.schema.fields import AnyField
from churnstream.schema.schema import Schema, Segment

_WIDTH = 100
_MAX_ALIGNED = 32  # a longer name stands out of the row
_PLAIN = re.compile(r"(?:\w|-(?=\d)|(?:\.\./)*/?\w)(?:[\w ().+%/$€-]*[\w).+%/$€-])?")
_SENTENCE = re.compile(r"""\w[\w .,;()"'/%=-]*[\w.)"]""")
_NULLS = frozenset({"null", "Null", "NULL"})  # and ~, which is never plain
_TITLES = {
    "id": "names the customer; the field of events and predictions",
    "label": "who has left; only training and evaluation need it",
    "event_time": "when a row was observed; null: when it is sent",
    "value": "a field, or a number, worth per month; null: customers are counted, not money",
    "fields": "what a customer is",
    "left_out": "no features, each with the reason; move one to the fields to have it",
    "segments": "by which summaries break customers down",
    "file": "where the rows are, and how they are read",
    "source": "where a customer is in the events of a topic",
}


def write(
    schema: Schema, *, heading: Sequence[str] = (), comments: Mapping[str, str] | None = None
) -> str:
    """A schema as YAML.

    Args:
        heading: Lines to begin with, as comments.
        comments: By field, what to say beside it.
    """
    lines = [f"# {_one_line(line)}".rstrip() for line in heading]
    lines += [f"name: {scalar(schema.name)}"]
    top = {
        "id": scalar(schema.id),
        "label": _flow(_plain_of(schema.label)),
        "event_time": _or_null(schema.event_time),
        "value": _worth(schema),
    }
    lines += list(_aligned(((f"{key}: {text}", _TITLES[key]) for key, text in top.items())))
    lines += [f"fields:  # {_TITLES['fields']}", *_fields(schema.fields, comments or {})]
    if schema.left_out:
        pairs = [f"  {scalar(n)}: {_sentence(reason)}" for n, reason in schema.left_out.items()]
        lines += [f"left_out:  # {_TITLES['left_out']}", *pairs]
    if schema.segments:
        lines += [f"segments:  # {_TITLES['segments']}"]
        lines += [f"  - {_segment(segment)}" for segment in schema.segments]
    for title, section in (("file", schema.file), ("source", schema.source)):
        if section is not None:
            parts = _plain_of(section)
            lines += [f"{title}:{'' if parts else ' {}'}  # {_TITLES[title]}"]
            lines += [f"  {key}: {_flow(value)}" for key, value in parts.items()]
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """A text as YAML has it anywhere: plain where it can be, else quoted."""
    if _PLAIN.fullmatch(text) and text.isprintable() and text not in _NULLS:
        return text
    if text.isprintable() and "\ufeff" not in text:
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _sentence(text: str) -> str:
    """A text on a line of its own, where a comma needs no quotes."""
    is_plain = _SENTENCE.fullmatch(text) and text.isprintable() and text not in _NULLS
    return text if is_plain else scalar(text)


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable() and character != "\ufeff":
        return character
    return f"\\U{ord(character):08X}"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _plain_of(value: object) -> Any:  # noqa: ANN401  # what YAML is made of
    """A part of a schema as maps, lists and texts, without what is as by default."""
    return msgspec.to_builtins(value)


def _or_null(value: str | float | None) -> str:
    return "null" if value is None else _flow(value)


def _worth(schema: Schema) -> str:
    """The monthly value; a number is written so that no field is called like it."""
    value = schema.value
    if not isinstance(value, float):
        return _or_null(value)
    spellings = (_flow(value), repr(value), f"{value:.16e}")
    return next((text for text in spellings if text not in schema.fields), spellings[0])


def _flow(value: Any) -> str:  # noqa: ANN401  # see `_plain_of`
    """A value in one line."""
    match value:
        case None:
            return "null"
        case str():
            return scalar(value)
        case dict():
            return "{" + ", ".join(f"{scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
        case _:
            return repr(value)


def _segment(segment: str | Segment) -> str:
    return scalar(segment) if isinstance(segment, str) else _flow(_plain_of(segment))


def _fields(fields: Mapping[str, AnyField], comments: Mapping[str, str]) -> Iterator[str]:
    """The fields, a line each, their types in one row; in more lines what is too long for one."""
    widths = [len(scalar(name)) for name in fields]
    width = max((w for w in widths if w <= _MAX_ALIGNED), default=0) + 1
    rows = []
    for name, field in fields.items():
        parts = _plain_of(field)
        line = f"  {scalar(name) + ':':<{width}} {_flow(parts)}"
        if len(line) > _WIDTH and len(parts) > 1:
            line = f"  {scalar(name)}:\n" + "\n".join(
                f"    {k}: {_flow(v)}" for k, v in parts.items()
            )
        rows.append((line, comments.get(name, "")))
    yield from _aligned(rows)


def _aligned(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Lines with comments beside them, in one column as far as they are short."""
    rows = list(rows)
    short = [len(line) for line, comment in rows if comment and "\n" not in line]
    width = min(max(short, default=0), _WIDTH * 2 // 3)
    for line, comment in rows:
        if comment and "\n" in line:
            first, rest = line.split("\n", 1)
            yield f"{first}  # {_one_line(comment)}\n{rest}"
        else:
            yield f"{line:<{width}}  # {_one_line(comment)}" if comment else line

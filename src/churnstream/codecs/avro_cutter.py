"""Flat Avro records of texts, numbers and flags, written as JSON without an object in between.

Most records of customers are of that kind. fastavro takes a third of a microsecond for each field,
more than all else together; so what reads a schema's records is written for that schema, once, as
msgspec and dataclasses write their methods. No name and no value of a schema becomes code: these
are data. Whatever looks unusual is left to fastavro.

Source: the Avro specification, binary encoding.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Any

import msgspec

from churnstream.codecs.connect_kinds import DAYS, PARTS_OF_A_SECOND
from churnstream.codecs.source_records import Path
from churnstream.codecs.source_values import day_of, shortest, timestamp_of

_PLAIN = {"string", "int", "long", "double", "float", "boolean"}
_HARMLESS = {"type", "connect.name", "connect.default", "avro.java.string", "logicalType"}
_MORE = 0x80  # in a byte of a number: others follow
_MAX_SHIFT = 63
_WITH_NULL = 2  # branches of a type that may be null

Cutter = Callable[[bytes], bytes | None]


Write = Callable[[int], str | None]
"""Takes a number; the text that it stands for, None if it stands for none."""
Field = tuple[str, int, Write | None]
"""What a field holds, the branch that is null or -1, and what writes its number, if not as one."""


def avro_cutter(schema: Any, kinds: Mapping[Path, str]) -> Cutter | None:  # noqa: ANN401
    """What writes values of a schema as JSON, or None for a value that is unusual.

    Args:
        schema: As JSON has it, without logical types.
        kinds: By path the type in a Connect schema.

    Returns:
        None if the schema is not of that kind.
    """
    if not isinstance(schema, dict) or schema.get("type") != "record":
        return None
    fields, members = [], []
    for field in schema["fields"]:
        read = _field(field["type"], kinds.get((field["name"],), ""))
        if read is None:
            return None
        fields.append(read)
        name = msgspec.json.encode(field["name"]).replace(b"%", b"%%")
        is_text = read == ("string", -1, None)
        members.append(name + (b':"%b"' if is_text else b":%b"))
    cut = _written_for(fields, b"{" + b",".join(members) + b"}")

    def cut_if_usual(payload: bytes) -> bytes | None:
        try:
            return cut(payload)
        except (IndexError, StructError, OverflowError, ValueError):
            return None

    return cut_if_usual


def _field(kind: Any, more: str) -> Field | None:  # noqa: ANN401
    null = -1
    if isinstance(kind, list):
        if len(kind) != _WITH_NULL or "null" not in kind:
            return None
        null = kind.index("null")
        kind = kind[1 - null]
    if isinstance(kind, dict) and kind.keys() <= _HARMLESS:
        kind = kind["type"]
    if not isinstance(kind, str) or kind not in _PLAIN:
        return None
    if more and kind not in ("int", "long"):
        return None
    if more in DAYS:
        return "long", null, day_of
    if parts := PARTS_OF_A_SECOND.get(more):
        return "long", null, lambda number: timestamp_of(number, parts)
    return None if more else (kind, null, None)


def _written_for(fields: list[Field], template: bytes) -> Cutter:
    """The function that reads these fields one after the other."""
    lines = ["def cut(b):", " i = odd = quotes = 0"]
    for number, (kind, null, write) in enumerate(fields):
        own = _lines(kind, f"v{number}", f"write{number}" if write else "", null >= 0)
        if null >= 0:
            lines += [" n = b[i]", " i += 1", f" if n == {2 * null}:", f"  v{number} = null"]
            lines += [f" elif n != {2 - 2 * null}:", "  return None", " else:"]
            own = [f" {line}" for line in own]
        lines += own
    values = "".join(f"v{number}, " for number in range(len(fields)))
    lines += [f" found = template % ({values})"]
    # A text that holds a quotation mark or a backslash would be another one in JSON.
    lines += [" plain = found.count(quote) == quotes + own_quotes and backslash not in found"]
    lines += [" return found if plain and not odd & 1 and i == len(b) else None"]
    known = {"template": template, "own_quotes": template.count(b'"'), "null": b"null"}
    known |= {"long": _long, "text_of": _text_of, "flags": (b"false", b"true")}
    known |= {"double": Struct("<d").unpack_from, "single": Struct("<f").unpack_from}
    known |= {"quote": b'"', "backslash": b"\\", "shortest": shortest}
    known |= {f"write{number}": write for number, (_, _, write) in enumerate(fields) if write}
    exec("\n".join(lines), known)  # noqa: S102  # of kinds and numbers alone
    return known["cut"]  # type: ignore[return-value]


def _lines(kind: str, value: str, write: str, may_be_null: bool) -> list[str]:
    """What reads one field into a variable."""
    if kind == "boolean":
        return [f" {value} = flags[b[i]]", " i += 1"]
    if kind == "double":
        return [f" {value} = b'%a' % double(b, i)", " i += 8"]
    if kind == "float":
        return [f" {value} = b'%a' % shortest(*single(b, i))", " i += 4"]
    lines = [" n = b[i]", " i += 1", f" if n >= {_MORE}:", "  n, i = long(b, i, n)"]
    if kind == "string":
        lines += [" odd |= n", " j = i + (n >> 1)", f" {value} = b[i:j]", " i = j"]
        if not may_be_null:
            return lines  # the template has its quotation marks
    else:
        lines += [" n = (n >> 1) ^ -(n & 1)", f" {value} = b'%d' % n"]
        if not write:
            return lines
        lines[-1] = f" {value} = text_of({write}(n))"
    return [*lines, f" {value} = b'\"%b\"' % {value}", " quotes += 2"]


def _long(payload: bytes, at: int, first: int) -> tuple[int, int]:
    """A number of several bytes, the lowest seven bits first, and where it ends."""
    number, shift = first & (_MORE - 1), 7
    while True:
        byte = payload[at]
        at += 1
        number |= (byte & (_MORE - 1)) << shift
        if byte < _MORE:
            return number, at
        shift += 7
        if shift > _MAX_SHIFT:
            raise ValueError("a number has over ten bytes")


def _text_of(text: str | None) -> bytes:
    if text is None:
        raise ValueError("stands for no day or time")
    return text.encode()

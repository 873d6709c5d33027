"""The usual events of somebody else's topic, put into our own form without being taken apart.

The object with the fields is cut out as it is, and the event's time is written behind them.
Whatever is not usual is left to `churnstream.codecs.source_reader`, which takes several times as
long and understands more.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from churnstream.codecs.opened_json import path_of
from churnstream.codecs.source_keys import KeyReader
from churnstream.codecs.source_records import Arrived, Opened, Path
from churnstream.codecs.source_times import TimeReader
from churnstream.records.rejection import UNDECODABLE
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import ANY_KEY, PRESETS, EventSource
from churnstream.schema.schema import Schema

_ROWS = {b'"c"', b'"r"', b'"u"'}  # operations of Debezium after which there is a row
_EMPTY = b"{}"
_ABSENT = msgspec.Raw(b"")
_NOTHING = {b"", b"null"}

Layout = Mapping[str, Path]
"""Where the `fields`, the `time` and the `op` are, as far as they are needed."""
Cut = Callable[[bytes], dict[str, bytes] | None]
"""Takes a value; what stands at the places of a layout, as JSON. None if nothing does at one."""


class Splicer:
    """Cuts customers out of records.

    Args:
        schema: With a source.
    """

    def __init__(self, schema: Schema, times: TimeReader) -> None:
        source = schema.source
        assert source is not None  # noqa: S101  # for the type checker
        self._times = times
        self._key_of = None if source.key == ANY_KEY else KeyReader(schema, source)
        self._cuts = [_cutter(layout) for layout in _layouts(schema, source, times)]
        own = re.escape(msgspec.json.encode(schema.id)) + rb":\s*"
        self._digits = re.compile(rb"(" + own + rb")(-?\d{1,20})(?=\s*[,}])")
        self._begin = msgspec.json.encode(schema.id) + b':"'
        self._text = re.compile(own + rb'"([^"\\]*)"')

    def __call__(self, record: Arrived) -> Opened | None:
        """The event in a record; None if the record is not usual."""
        for place, cut in enumerate(self._cuts):
            parts = cut(record.value or b"")
            if parts is not None:
                if place:  # one topic has one layout, as a rule
                    self._cuts.insert(0, self._cuts.pop(place))
                return self._event(parts, record)
        return None

    def _event(self, parts: Mapping[str, bytes], record: Arrived) -> Opened | None:
        fields = parts["fields"]
        if fields[-1:] != b"}":
            fields = fields.strip()
        if parts.get("op", b'"u"') not in _ROWS or fields == _EMPTY or fields[-1:] != b"}":
            return None
        if self._begin not in fields:  # a look is cheaper than a search
            fields = self._digits.sub(rb'\1"\2"', fields, count=1)
        if self._key_of:
            key = self._key_of(record.key)
        else:
            named = self._text.search(fields)
            key = named[1] if named else None
        if "time" in parts or self._times.is_of_record:
            time = self._times.member(parts.get("time"), record.timestamp)
            if not isinstance(time, bytes):
                return None
            fields = fields[:-1] + b"," + time + b"}"
        return Opened(fields, key, is_spliced=True)


def _layouts(schema: Schema, source: EventSource, times: TimeReader) -> Iterator[Layout]:
    """How the events of a source may be laid out; none where they have to be taken apart."""
    if schema.is_renamed or source.only or source.numbers_are_written:
        return
    time: Layout = {"time": times.path} if times.path else {}
    if source.envelope == "debezium":
        for outer in ((), ("payload",)):
            commit = (*outer, "source", "ts_ms")
            own = time if time or times.is_of_record else {"time": commit}
            yield {"fields": (*outer, "after"), "op": (*outer, "op"), **own}
    elif source.envelope == "cloudevents":
        yield {"fields": ("data",), **(time if time or times.is_of_record else {"time": ("time",)})}
    elif source.envelope and source.envelope not in PRESETS:
        yield {"fields": path_of(source.envelope), **time}
    elif times.path != (EVENT_TS,):
        yield time


def _cutter(layout: Layout) -> Cut:
    """What finds the parts of a value; the fields are the whole of it where no place is named."""
    if not layout:
        return lambda value: {"fields": value}
    paths = list(layout.values())
    if any(len(a) < len(b) and b[: len(a)] == a for a in paths for b in paths):
        return lambda _: None  # one within another
    decode = msgspec.json.Decoder(_struct(paths)).decode
    getters = {name: attrgetter(".".join(map(_attribute, path))) for name, path in layout.items()}

    def cut(value: bytes) -> dict[str, bytes] | None:
        try:
            found = decode(value)
            parts = {name: bytes(get(found)) for name, get in getters.items()}
        except (AttributeError, *UNDECODABLE):  # AttributeError: null on the way
            return None
        if not _NOTHING.isdisjoint(parts.values()):
            return None
        return {"fields": value, **parts}

    return cut


def _struct(paths: list[Path]) -> Any:  # noqa: ANN401  # a type
    """The type of an object that has JSON at these paths."""
    deeper: defaultdict[str, list[Path]] = defaultdict(list)
    for path in paths:
        deeper[path[0]].append(path[1:])
    members: list[tuple[str, Any, Any]] = [
        (_attribute(name), msgspec.Raw, _ABSENT)
        if () in rest
        else (_attribute(name), _struct(rest) | None, None)
        for name, rest in deeper.items()
    ]
    rename = {_attribute(name): name for name in deeper}
    return msgspec.defstruct("Outer", members, rename=rename, gc=False)


def _attribute(name: str) -> str:
    """A name that Python takes for an attribute."""
    return "_" + name.encode().hex()

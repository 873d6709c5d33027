"""What the events of a topic look like: where rows are, and how keys and times are written."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import ANY_KEY, ID_AS_KEY, RECORD_TIME, TimeFormat, plain_name

Path = tuple[str, ...]

_MOST = 0.9  # of the events: a few others are in every topic
_TIME_NAMES = re.compile(r"(^|_)(time|timestamp|date|at|ts|when|occurred|created|updated)(_|$)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*?(?P<zone>Z|[+-]\d\d:?\d\d)?")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DIGITS = re.compile(r"\d{9,17}", re.ASCII)
_FIRST = 1e8  # seconds: a smaller number is no time since 1973
_UNITS: tuple[tuple[float, TimeFormat], ...] = (
    (1e11, "epoch-seconds"),
    (1e14, "epoch-millis"),
    (1e17, "epoch-micros"),
)
_PARTS: Mapping[TimeFormat | None, float] = {"epoch-millis": 1e3, "epoch-micros": 1e6}


class EventShape(NamedTuple):
    """What a sample of events lets be known.

    Attributes:
        envelope: As in `source`; None where the fields are at the outermost object.
        rows: The customers in it, by column.
        names: By column its path, where that is not its name.
        time: As in `source`; None for `event_ts`, or what a preset has.
        time_format: As in `source`.
        positions: Of each row, which of the events it is in; others hold no customer.
        like_times: By path how a value is written that looks like a time and is called otherwise;
            only where no time is known.
    """

    envelope: str | None
    rows: list[dict[str, Any]]
    names: dict[str, str]
    time: str | None
    time_format: TimeFormat
    positions: list[int]
    like_times: dict[str, TimeFormat]

    def places(self, names: Collection[str]) -> dict[str, str]:
        """By name the column that it means, which may differ in case and separators.

        Those that no event has are left out, and those that two columns are alike to.
        """
        columns = dict.fromkeys(name for row in self.rows[:1] for name in row)
        alike: dict[str, set[str]] = {}
        for column in columns:
            for name in (column, self.names.get(column, column).rpartition(".")[2]):
                alike.setdefault(plain_name(name), set()).add(column)
        found = {n: {n} if n in columns else alike.get(plain_name(n), set()) for n in names}
        return {name: next(iter(those)) for name, those in found.items() if len(those) == 1}


def shape_of(
    events: Sequence[Any], meanings: Sequence[Any] | None = None, *, in_headers: bool = False
) -> EventShape:
    """Look at events for their shape.

    Args:
        events: What the values hold; objects, among them whatever else stands in the topic.
        meanings: The same with what dates, times and decimals mean, where their types say it.
        in_headers: Whether they are CloudEvents in binary mode, so that only headers say so.
    """
    objects = [event for event in events if isinstance(event, dict)]
    envelope, inside = ("cloudevents", ()) if in_headers else _envelope(objects)
    found = [_at(event, inside) for event in meanings or events]
    positions = [number for number, row in enumerate(found) if isinstance(row, dict)]
    flat = [dict(_leaves(found[number], ())) for number in positions]
    time: Path | None = None
    time_format: TimeFormat = "rfc3339"
    leaves: list[dict[Path, Any]] = []
    if envelope not in ("debezium", "cloudevents"):
        leaves = [dict(_leaves(event, ())) for event in objects]
        time, time_format = _time(leaves, inside)
    columns = _columns(flat)
    if time and time[: len(inside)] == inside:
        columns.pop(time[len(inside) :], None)
    return EventShape(
        envelope,
        [{name: row.get(path) for path, name in columns.items()} for row in flat],
        {name: ".".join(path) for path, name in columns.items() if path != (name,)},
        _said(time, inside, envelope),
        time_format,
        positions,
        {} if time else _like_times(leaves),
    )


def key_of(keys: Sequence[Any], ids: Sequence[str], name: str) -> str:
    """How keys stand to the ids of the same records, as in `source`.

    Args:
        keys: What they hold: a text, an object, or None.
        name: Of the column with the ids.
    """
    if _share(key == own for key, own in zip(keys, ids, strict=True)) >= _MOST:
        return ID_AS_KEY
    if _share(isinstance(key, dict) for key in keys) < _MOST:
        return ANY_KEY
    paths = Counter(
        path
        for key, own in zip(keys, ids, strict=True)
        for path, value in _leaves(key if isinstance(key, dict) else {}, ())
        if str(value) == own
    )
    often = [path for path, count in paths.most_common(1) if count >= _MOST * len(ids)]
    if not often:
        return ANY_KEY
    return ID_AS_KEY if often[0] in ((name,), ("payload", name)) else ".".join(often[0])


def _envelope(objects: Sequence[dict[str, Any]]) -> tuple[str | None, Path]:
    """The envelope, and the path of the object with the fields."""
    for outer in ((), ("payload",)):
        inner = [_at(event, outer) for event in objects]
        changes = [one for one in inner if isinstance(one, dict) and "op" in one and "after" in one]
        if objects and len(changes) >= _MOST * len(objects):
            return "debezium", (*outer, "after")
    if _share("specversion" in event and "data" in event for event in objects) >= _MOST:
        return "cloudevents", ("data",)
    path: Path = ()
    while largest := _largest([_at(event, path) for event in objects]):
        path = (*path, largest)
    return ".".join(path) or None, path


def _largest(objects: Sequence[Any]) -> str | None:
    """The member that holds most of what there is: an object with more values than all beside."""
    sizes: Counter[str] = Counter()
    beside = 0
    for event in objects:
        for name, value in event.items() if isinstance(event, dict) else ():
            if isinstance(value, dict):
                sizes[name] += sum(1 for _ in _leaves(value, ()))
            elif not isinstance(value, list):
                beside += 1
    for name, size in sizes.most_common(1):
        if size > beside + sizes.total() - size:
            return name
    return None


def _time(objects: Sequence[dict[Path, Any]], inside: Path) -> tuple[Path | None, TimeFormat]:
    """Where the time of an event is, and how it is written."""
    paths = Counter(path for event in objects for path in event)
    likely = [p for p, n in paths.items() if n >= _MOST * len(objects) and _is_called_time(p[-1])]
    own = (*inside, EVENT_TS)
    for path in sorted(likely, key=lambda path: (path != own, len(path))):
        formats = Counter(_format_of(event.get(path)) for event in objects)
        written, count = formats.most_common(1)[0]
        if written and count >= _MOST * len(objects):
            return path, written
    return None, "rfc3339"


def _like_times(objects: Sequence[dict[Path, Any]]) -> dict[str, TimeFormat]:
    """By path how values are written that can hardly be anything but times of our days."""
    found: dict[str, TimeFormat] = {}
    for path in dict.fromkeys(path for event in objects for path in event):
        formats = Counter(_surely_time(event.get(path)) for event in objects)
        written, count = formats.most_common(1)[0]
        if written and count >= _MOST * len(objects):
            found[".".join(path)] = written
    return found


def _said(time: Path | None, inside: Path, envelope: str | None) -> str | None:
    """The time as `source` says it."""
    if envelope in ("debezium", "cloudevents") or time == (*inside, EVENT_TS):
        return None
    return ".".join(time) if time else RECORD_TIME


def _is_called_time(name: str) -> bool:
    return bool(_TIME_NAMES.search(_HUMP.sub("_", name).lower().replace("-", "_")))


def _surely_time(value: object) -> TimeFormat | None:
    """How a value is written that can hardly be anything but a time: a date, or since 2001."""
    written = _format_of(value)
    if written in _PARTS:
        return written if 1e9 < int(str(value)) / _PARTS[written] < 4e9 else None  # noqa: PLR2004
    return None if written == "epoch-seconds" else written


def _format_of(value: object) -> TimeFormat | None:
    if isinstance(value, str) and (found := _MOMENT.fullmatch(value)):
        return "rfc3339" if found["zone"] else "local"
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return next((unit for limit, unit in _UNITS if _FIRST < value < limit), None)
    return None


def _columns(rows: Sequence[dict[Path, Any]]) -> dict[Path, str]:
    """A name for each place: the last of its names, with those before where others end alike."""
    paths = list(dict.fromkeys(path for row in rows for path in row))
    ends = Counter(path[-1] for path in paths)
    return {path: path[-1] if ends[path[-1]] == 1 else "_".join(path) for path in paths}


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401
    """What an object holds besides objects and lists, each with its path."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(inner, (*path, name))
        elif not isinstance(inner, list):
            yield (*path, name), inner


def _at(value: Any, path: Path) -> Any:  # noqa: ANN401
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _share(found: Iterator[bool]) -> float:
    seen = list(found)
    return sum(seen) / len(seen) if seen else 0.0

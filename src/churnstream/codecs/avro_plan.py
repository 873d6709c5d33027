"""What is to be read of Avro values, one field after the other, to write our own events.

Whatever our own event has no use for is passed over. What is unusual is not planned: fastavro reads
it, and whoever knows more than the usual looks at it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from churnstream.codecs.avro_columns import (
    Skip,
    UnusualTypeError,
    all_of,
    id_reader,
    json_or_null,
    json_reader,
    leave_null,
    mark_reader,
    skip_or_null,
    skipper,
    text_or_null,
    time_reader,
)
from churnstream.codecs.avro_rows import AvroRows, Spans
from churnstream.codecs.connect_kinds import DECIMAL
from churnstream.codecs.own_layout import OwnLayout
from churnstream.codecs.source_records import Path
from churnstream.records.wire_types import EVENT_TS

Part = bytes | Callable[[AvroRows], Spans | pa.Array | None]
"""What each event has as JSON: the same in all, or what is read; None where nothing comes of it."""

_WITH_NULL = 2  # branches of a type that may be null
_COMPLEX = ("record", "error", "enum", "fixed", "array", "map")
_MAX_FIELDS = 2_000  # of a schema, those of records within it counted too


class AvroPlan:
    """Walks through a schema of records.

    Args:
        schema: As JSON has it, without logical types.
        names: The types that it refers to.
        kinds: By path the type in a Connect schema.
        layout: Where the members of our own event are.

    Attributes:
        parts: In the order of the schema; each member begins with a comma.
        id_at: Which of them is the id.

    Raises:
        UnusualTypeError: Not all that our own event needs is there, or its type is not read here.
    """

    def __init__(
        self,
        schema: Any,  # noqa: ANN401
        names: Mapping[str, Any],
        kinds: Mapping[Path, str],
        layout: OwnLayout,
    ) -> None:
        self._names, self._kinds, self._layout = names, kinds, layout
        self._members, self._marks = dict(layout.members), dict(layout.marks)
        self._numbers = {*layout.numbers}
        single = [layout.id, *([layout.time] if layout.time else [])]
        places = [*single, *(path for path, _ in (*layout.members, *layout.marks))]
        self._above = {path[:end] for path in places for end in range(len(path))}
        if len({*places}) < len(places) or not self._above.isdisjoint(places):
            raise UnusualTypeError  # one place is two things
        self._missing = {*single, *self._marks}
        self._left = _MAX_FIELDS
        self.parts: list[Part] = []
        self.id_at = -1
        self._look_into(schema, ())
        if self._missing:
            raise UnusualTypeError

    def _look_into(self, kind: Any, path: Path) -> None:  # noqa: ANN401
        """Note what is inside of a record."""
        null, kind = self._branches(kind)
        if not _is_record(kind):
            raise UnusualTypeError
        self._without_null(null)
        for field in kind["fields"]:
            inner = (*path, field["name"])
            if inner in self._above:
                self._look_into(field["type"], inner)
            else:
                self._note(field["type"], inner)

    def _note(self, kind: Any, path: Path) -> None:  # noqa: ANN401
        """Note one field, and that nothing more is missing there."""
        self._missing.discard(path)
        null, known = self._branches(kind)
        more = self._kinds.get(path, "")
        if path == self._layout.id:
            self._without_null(null)
            self._add(self._layout.own_id, b'"', id_reader(known, more), b'"')
            self.id_at = len(self.parts) - 2
        elif path == self._layout.time:
            self._without_null(null)
            read, zone = time_reader(known, more, self._layout.a_second)
            self._add(EVENT_TS, b'"', read, zone + b'"')
        elif path in self._marks:
            self._without_null(null)
            self.parts.append(mark_reader(known, self._marks[path]))
        elif more.startswith(DECIMAL) and path in self._members and path not in self._numbers:
            raise UnusualTypeError  # bytes, which mean nothing here
        elif path in self._members:
            self._note_member(self._members[path], null, known, more)
        else:
            self.parts.append(self._passed_over(kind))

    def _note_member(self, name: str, null: int, kind: Any, more: str) -> None:  # noqa: ANN401
        if kind != "string" or more.startswith(DECIMAL):
            read = json_reader(kind, more)
            self._add(name, read if null < 0 else lambda rows: json_or_null(rows, null, read))
        elif null < 0:
            self._add(name, b'"', AvroRows.texts, b'"')
        else:
            self._add(name, lambda rows: text_or_null(rows, null))

    def _add(self, name: str, *parts: Part) -> None:
        self.parts += [b"," + msgspec.json.encode(name) + b":", *parts]

    def _without_null(self, null: int) -> None:
        """Without it there is no event; what becomes of the record then, others know."""
        if null >= 0:
            self.parts.append(lambda rows: leave_null(rows, null))

    def _passed_over(self, kind: Any) -> Skip:  # noqa: ANN401
        null, kind = self._branches(kind)
        if _is_record(kind):
            skip = all_of([self._passed_over(field["type"]) for field in kind["fields"]])
        else:
            skip = skipper(kind)
        return skip if null < 0 else lambda rows: skip_or_null(rows, null, skip)

    def _branches(self, kind: Any) -> tuple[int, Any]:  # noqa: ANN401
        """Which branch of a type is null, or -1; and the type that it is else."""
        self._left -= 1
        null = -1
        if isinstance(kind, list):
            if len(kind) != _WITH_NULL or "null" not in kind:
                raise UnusualTypeError
            null = kind.index("null")
            kind = kind[1 - null]
        kind = self._names.get(kind, kind) if isinstance(kind, str) else kind
        if isinstance(kind, dict) and kind["type"] not in _COMPLEX:
            kind = kind["type"]  # with notes beside it
        if self._left < 0:
            raise UnusualTypeError
        return null, kind


def _is_record(kind: Any) -> bool:  # noqa: ANN401
    return isinstance(kind, dict) and kind["type"] == "record"

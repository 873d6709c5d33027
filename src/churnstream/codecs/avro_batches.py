"""Our own events out of many records in Avro at once, as far as these are usual."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from churnstream.codecs.avro_columns import UnusualTypeError
from churnstream.codecs.avro_cutter import AvroCutter, AvroIds
from churnstream.codecs.own_layout import OwnLayouts
from churnstream.codecs.registry_framing import HEADER

_AT_ONCE = 5_000  # records; the more, the less each costs
_MAX_BYTES = 16 * 1024  # of a record that is read together with others
_OBJECT = b"{"

Bare = Callable[[bytes], tuple[Any, ...] | None]
"""Takes the head of a framed value; its schema, as a cutter wants it. None if it has none."""


class AvroBatches:
    """Cuts events out of records of any number of schemas.

    Args:
        bare: Knows the schemas.
    """

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self._cutters: dict[Hashable, Any] = {}

    def __call__(
        self,
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
        timestamp_at: Callable[[int], int],
        layouts: OwnLayouts,
    ) -> tuple[list[bytes | None], list[bytes | None]]:
        """The events as JSON, and what of their records' keys must be the id.

        Args:
            values: (n,).
            keys: (n,).
            timestamp_at: Takes the row of a record; milliseconds since 1970.

        Returns:
            Both (n,); None for a record that is not usual.
        """
        events: list[bytes | None] = [None] * len(values)
        own: list[bytes | None] = [None] * len(values)
        for head, rows in _by_head(values) if layouts.events else ():
            if cut := self._cutter(head, layouts.events, AvroCutter):
                times = map(timestamp_at, rows) if cut.is_of_record else ()
                found = cut([values[row] for row in rows], list(times))
                for row, event, customer in zip(rows, *found, strict=True):
                    events[row], own[row] = event, customer
        if not layouts.keys:
            return events, own
        ids = self._ids(keys, layouts)
        if None in ids:
            events = [event if key else None for event, key in zip(events, ids, strict=True)]
        return events, ids

    def _ids(self, keys: Sequence[bytes | None], layouts: OwnLayouts) -> list[bytes | None]:
        """What in the keys must be the id."""
        ids: list[bytes | None] = [None] * len(keys)
        if layouts.key_may_be_id:
            ids = [key if key and key[0] and key[:1] != _OBJECT else None for key in keys]
        for head, rows in _by_head(keys) if None in ids else ():
            if find := self._cutter(head, layouts.keys, AvroIds):
                for row, own in zip(rows, find([keys[row] for row in rows]), strict=True):
                    ids[row] = own
        return ids

    def _cutter(self, head: bytes, places: Sequence[Any], kind: type[Any]) -> Any:  # noqa: ANN401
        """What cuts records with this head, by the first of the places that is in their schema."""
        if (head, places) not in self._cutters:
            bare = self._bare(head)
            if bare is None:
                return None  # not known yet
            self._cutters[head, places] = None
            for place in places:
                with suppress(UnusualTypeError):
                    self._cutters[head, places] = kind(*bare, place)
                    break
        return self._cutters[head, places]


def _by_head(parts: Sequence[bytes | None]) -> Iterator[tuple[bytes, Sequence[int]]]:
    """The rows that begin alike.

    Few of them would be read sooner one by one. But what becomes of a record must not depend on
    those that came with it, and fastavro looks into fields that are passed over here.
    """
    heads = [
        part[:HEADER] if part and not part[0] and len(part) <= _MAX_BYTES else b"" for part in parts
    ]
    by_head: dict[bytes, Sequence[int]] = {heads[0]: range(len(heads))} if heads else {}
    if len({*heads}) > 1:
        found: defaultdict[bytes, list[int]] = defaultdict(list)
        for row, head in enumerate(heads):
            found[head].append(row)
        by_head = {**found}
    by_head.pop(b"", None)
    for head, rows in by_head.items():
        for begin in range(0, len(rows), _AT_ONCE):
            yield head, rows[begin : begin + _AT_ONCE]

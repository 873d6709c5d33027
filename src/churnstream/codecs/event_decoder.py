"""From the bytes of a record to an event, or to the reason why it is none."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from churnstream.codecs.lenient_decoder import decode_leniently, in_utc, repetition
from churnstream.codecs.repeated_fields import colons_in
from churnstream.codecs.source_reader import SourceReader
from churnstream.codecs.source_records import Arrived, Opened
from churnstream.escaping import quote
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import UNDECODABLE, Rejection
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.fields import AnyField, Category, MissingRule
from churnstream.schema.record_types import Event, event_type
from churnstream.schema.schema import Schema
from churnstream.schema.values import read

if TYPE_CHECKING:
    from churnstream.codecs.scan.event_scanner import EventScanner

Opener = Callable[[Arrived], Arrived | Rejection]

_UNSCANNED = 15_000  # events before scanning begins
_AT_ONCE = 500  # records; with their events they fit into a processor's second cache
_ZONE = attrgetter(f"{EVENT_TS}.tzinfo")
_COLONS_OF_TIME = 3  # one behind its name, two within
_MAX_TEXTS = 10_000  # of an open category that are remembered


class EventDecoder:
    """Turns records into events of a schema.

    Most records are taken by a typed decoder, in compiled code. What it does not take gets a second
    look, which reads what means the same and else names the field at fault.

    Args:
        schema: What an event has.
        closed: Whether a category must be one of those that the schema lists.
        scans: Whether batches may be scanned; not worth it where each event is looked at anyway.

    Attributes:
        schema: With other values in each category where it is not closed.
        source: Finds customers in the events of somebody else's topic; None where these are in our
            own form.
    """

    def __init__(self, schema: Schema, *, closed: bool = True, scans: bool = False) -> None:
        self.schema, self._scans = schema if closed else schema.opened, scans
        self._type = event_type(schema, closed=closed)
        self._decode = msgspec.json.Decoder(self._type).decode
        names, label = schema.attributes, schema.label
        self._id = attrgetter(names[schema.id])
        self._label = attrgetter(names[label.field]) if label else None
        fields = self.schema.fields.items()
        self._optional = [names[n] for n, field in fields if field.missing == "allow"]
        rules = {n: f.missing for n, f in fields if isinstance(f.missing, MissingRule)}
        self._ruled = [attrgetter(names[n]) for n in rules]
        self._open = [(attrgetter(names[n]), _means_itself(f)) for n, f in fields if _is_open(f)]
        self._colons = 1 + len(schema.fields) + _COLONS_OF_TIME
        self.source = SourceReader(schema) if schema.source else None

    def __call__(self, value: bytes | None, key: bytes | None) -> Event | Rejection:
        """The event in a record, or why there is none. Never raises.

        Args:
            value: The record's value; None for a tombstone.
            key: The record's key, which must be the customer's ID in UTF-8.
        """
        if not value:
            problem = "is null (a tombstone)" if value is None else "is empty"
            return Rejection("empty", "value", f"{problem}; expected a customer as JSON")
        try:
            event = self._decode(value)
        except UNDECODABLE:
            event = decode_leniently(value, self.schema, self._type)
            return event if isinstance(event, Rejection) else self._with_key(event, key)
        return self._looked_at(event, value, key)

    def batch(
        self, values: Sequence[bytes | None], keys: Sequence[bytes | None]
    ) -> list[Event | Rejection]:
        """The same for many records, in their order.

        Looking at each record costs more than decoding it, so what can be seen of many at once is.
        Where something is unusual, however harmless, those are looked at one by one.

        Args:
            values: The records' values, (n,).
            keys: The records' keys, (n,).
        """
        outcomes: list[Event | Rejection] = []
        while (begin := len(outcomes)) < len(values):
            here = slice(begin, begin + _AT_ONCE)
            events = self._leading(values[here])
            here = slice(begin, begin + len(events))
            if self._are_usual(events, values[here], keys[here]):
                outcomes += self._settled_where_needed(events, values[here])
            else:
                outcomes += map(self._looked_at, events, values[here], keys[here])  # type: ignore[arg-type]
            if len(events) < _AT_ONCE and len(outcomes) < len(values):
                outcomes.append(self(values[len(outcomes)], keys[len(outcomes)]))
        return outcomes

    def batch_of(
        self, records: Sequence[Arrived], opened: Opener = lambda record: record
    ) -> list[Event | PassedOver | Rejection]:
        """The same for records as the schema's `source` describes them.

        Args:
            opened: Finds what a value holds that is no JSON. Each record's is let go of before the
                next, since it may be a hundred times as large as the record.
        """
        find = self.source
        assert find is not None  # noqa: S101  # for the type checker
        outcomes: list[Any] = [
            found if isinstance(found := opened(record), Rejection) else find(found)
            for record in records
        ]
        rows = [row for row, found in enumerate(outcomes) if isinstance(found, Opened)]
        values, keys = [outcomes[row].value for row in rows], [outcomes[row].key for row in rows]
        for row, event in zip(rows, self.batch(values, keys), strict=True):
            is_odd = isinstance(event, Rejection) and outcomes[row].is_spliced
            outcomes[row] = self._taken_apart(opened(records[row])) if is_odd else event
        return outcomes

    def _taken_apart(self, record: Arrived | Rejection) -> Event | PassedOver | Rejection:
        """What becomes of a record whose fields cannot be decoded as they came."""
        if isinstance(record, Rejection):
            return record
        assert self.source is not None  # noqa: S101  # for the type checker
        found = self.source.take_apart(record)
        return self(found.value, found.key) if isinstance(found, Opened) else found

    @cached_property
    def scanner(self) -> "EventScanner | None":
        """Scans usual events; None where they are not in our own form, or numba is not there.

        Nor is it where the system lets no memory be written that is run: numba says so by an
        `OSError`.
        """
        if self.source is not None or not self._scans:
            return None
        try:
            from churnstream.codecs.scan.event_scanner import EventScanner
        except (ImportError, OSError):
            return None
        return EventScanner(self.schema, self._decodes, after=_UNSCANNED)

    def _decodes(self, value: bytes) -> bool:
        try:
            self._decode(value)
        except UNDECODABLE:
            return False
        return True

    def known(self, value: bytes) -> Event:
        """An event of which it is known that it is usual, and has the right key."""
        return self._decode(value)

    def _leading(self, values: Sequence[bytes | None]) -> list[Event]:
        """The events up to the first value that does not decode."""
        events: list[Event] = []
        with suppress(TypeError, *UNDECODABLE):  # TypeError: a tombstone
            events.extend(map(self._decode, values))  # type: ignore[arg-type]
        return events

    def _are_usual(
        self,
        events: Sequence[Event],
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
    ) -> bool:
        """Whether records that decode need no second look: see `_looked_at`.

        Each has at least the colons of its fields, so the right sum is the right number in each.
        """
        text = b"".join(values)  # type: ignore[arg-type]
        if None in keys or b"\\" in text:
            return False
        return (
            colons_in(text)
            == self._colons * len(events) + self._labels(events) - self._absent(events)
            and {*map(_ZONE, events)} <= {UTC}
            # No text holds a line break, which JSON writes with a backslash.
            and "\n".join(map(self._id, events)).encode() == b"\n".join(keys)  # type: ignore[arg-type]
        )

    def _labels(self, events: Sequence[Event]) -> int:
        """How many of the events have one."""
        return len(events) - list(map(self._label, events)).count(None) if self._label else 0

    def _absent(self, events: Sequence[Event]) -> int:
        """How many fields are left out that may be missing, of all events together."""
        return sum(list(map(attrgetter(n), events)).count(msgspec.UNSET) for n in self._optional)

    def _settled_where_needed(
        self, events: list[Event], values: Sequence[bytes | None]
    ) -> Sequence[Event | Rejection]:
        """The same, with a second look where a value is missing or is a text of several spellings.

        Most texts of a category are shared by many, so each is looked at once.
        """
        rows: set[int] = set()
        sought: list[tuple[Callable[[Event], Any], Any]] = [(get, None) for get in self._ruled]
        sought += [(attrgetter(name), msgspec.UNSET) for name in self._optional]
        for get, nothing in sought:
            found = list(map(get, events))
            if nothing in found:
                rows |= {i for i, value in enumerate(found) if value is nothing}
        for get, means_itself in self._open:
            found = list(map(get, events))
            if odd := {text for text in set(found) if not means_itself(text)}:
                rows |= {i for i, text in enumerate(found) if text in odd}
        outcomes: list[Event | Rejection] = [*events] if rows else events
        for i in rows:
            outcomes[i] = self._settled(events[i], values[i])
        return outcomes

    def _settled(self, event: Event, value: bytes | None) -> Event | Rejection:
        """An event as a second look has it, or why it is rejected."""
        is_ruled = any(get(event) is None for get in self._ruled)
        if is_ruled or not all(means_itself(get(event)) for get, means_itself in self._open):
            return decode_leniently(value or b"", self.schema, self._type)
        absent = [name for name in self._optional if getattr(event, name) is msgspec.UNSET]
        return msgspec.structs.replace(event, **dict.fromkeys(absent)) if absent else event

    def _looked_at(self, event: Event, value: bytes, key: bytes | None) -> Event | Rejection:
        """A decoded event once its key and its fields were looked at, or why it is rejected.

        Only a record with another number of colons than its fields have gets a second parse.
        """
        colons = self._colons + self._labels([event]) - self._absent([event])
        is_odd = value.count(b":") != colons or b"\\" in value
        if is_odd and (why := repetition(value, self.schema)):
            return why
        event = self._settled(event, value)
        return event if isinstance(event, Rejection) else self._with_key(event, key)

    def _with_key(self, event: Event, key: bytes | None) -> Event | Rejection:
        own = self._id(event)
        if own.encode("utf-8", "surrogatepass") != key:
            return _key_mismatch(key, self.schema.id, own)
        if event.event_ts.tzinfo is UTC:
            return event
        timestamp = in_utc(event.event_ts)
        if isinstance(timestamp, Rejection):
            return timestamp
        return msgspec.structs.replace(event, event_ts=timestamp)


def _is_open(field: AnyField) -> bool:
    """Whether the typed decoder takes any text for it."""
    return isinstance(field, Category) and not (field.values and field.unknown == "reject")


def _means_itself(field: AnyField) -> Callable[[Any], bool]:
    """Takes what the typed decoder found in a field; whether it means just that."""
    return lru_cache(_MAX_TEXTS)(lambda text: text is msgspec.UNSET or read(field, text) == text)


def _key_mismatch(key: bytes | None, field: str, customer: str) -> Rejection:
    problem = "is null" if key is None else f"is {quote(key.decode('utf-8', 'replace'))}"
    return Rejection("key_mismatch", "key", f"{problem}; expected {field} {quote(customer)}")

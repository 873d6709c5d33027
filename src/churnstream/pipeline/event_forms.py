"""How rows of customers become records: as JSON, or as a schema in a registry says."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import msgspec
import pyarrow as pa

from churnstream.codecs.customer_rows import CustomerRows
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.event_encoder import decode_rows, encode_events
from churnstream.codecs.registered_encoders import Encode
from churnstream.errors import DataError
from churnstream.kafka.writer import Record
from churnstream.records.rejection import Rejection, RejectionCount
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

_CHUNK = 5_000  # rows that are looked at together
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MEMBER = f'"{EVENT_TS}":"'.encode()
_STAMP = _MEMBER + b'1970-01-01T00:00:00.000000Z"'


class EventPool(Protocol):
    """Customers of whom there can be an event at any time."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def records(self, chosen: Iterable[int], now: datetime) -> list[Record]:
        """Events of some, by their numbers from 0, at a time in UTC."""
        ...


class EventForm(Protocol):
    """Makes records of rows."""

    def check(self, rows: CustomerRows) -> None:
        """Look at all rows before the first is sent.

        Raises:
            DataError: Some cannot be sent in this form.
        """
        ...

    def records(self, batch: pa.RecordBatch, event_ts: datetime) -> list[Record]:
        """The events of rows, observed at that time where no column says when."""
        ...

    def pool(self, batch: pa.RecordBatch) -> EventPool:
        """The same rows, of which there will be events later on."""
        ...


class JsonEvents:
    """Events as JSON; what a row holds is not looked at.

    Args:
        schema: Of the customers.
        head: Stands before each value.
    """

    def __init__(self, schema: Schema, head: bytes = b"") -> None:
        self._schema, self._head = schema, head

    def check(self, rows: CustomerRows) -> None:
        """See `EventForm`; whatever stands in a row can be JSON."""

    def records(self, batch: pa.RecordBatch, event_ts: datetime) -> list[Record]:
        """See `EventForm`."""
        events, head = encode_events(batch, self._schema, event_ts), self._head
        values = [head + value for value in events.values] if head else events.values
        return [
            {"key": key, "value": value} for key, value in zip(events.keys, values, strict=True)
        ]

    def pool(self, batch: pa.RecordBatch) -> EventPool:
        """See `EventForm`."""
        timeless = msgspec.structs.replace(self._schema, event_time=None)
        return _Templates(JsonEvents(timeless, self._head).records(batch, _BEGIN))


class _Template(NamedTuple):
    """A customer's event around its timestamp."""

    key: bytes | None
    head: bytes
    tail: bytes


class _Templates:
    def __init__(self, records: Iterable[Record]) -> None:
        self._all = []
        for record in records:
            head, _, tail = (record["value"] or b"").rpartition(_STAMP)
            self._all.append(_Template(record["key"], head + _MEMBER, b'"' + tail))

    def __len__(self) -> int:
        return len(self._all)

    def records(self, chosen: Iterable[int], now: datetime) -> list[Record]:
        """See `EventPool`."""
        stamp = now.isoformat(timespec="microseconds")[:-6].encode() + b"Z"
        found = map(self._all.__getitem__, chosen)
        return [{"key": key, "value": head + stamp + tail} for key, head, tail in found]


class TypedEvents:
    """Events in a format whose values have types, which takes no row that does not fit.

    Args:
        schema: Of the customers.
        encode: Writes one.
        name: Of the format, for errors.
    """

    def __init__(self, schema: Schema, encode: Encode, name: str) -> None:
        plain = msgspec.structs.replace(schema, source=None)
        self._decode, self._encode = EventDecoder(plain, closed=False), encode
        self._id_of, self._name = schema.id_of, name

    def check(self, rows: CustomerRows) -> None:
        """See `EventForm`."""
        rejected, count = RejectionCount(), 0
        for batch in rows.batches(_CHUNK):
            for event in self._decoded(batch, _BEGIN):
                if isinstance(event, Rejection):
                    rejected.add(event, rows.file.row_name(count))
                count += 1
        if rejected.total:
            raise DataError(
                f"{rows.file.path}: {rejected.total:,} of {count:,} rows do not fit {self._name}: "
                f"{rejected.in_words()}; nothing was sent; mend them, or write `source: format: "
                "json`, by which the consumer rejects them one by one"
            )

    def records(self, batch: pa.RecordBatch, event_ts: datetime) -> list[Record]:
        """See `EventForm`; rows that do not fit were found before."""
        return [self._record(event) for event in self._decoded(batch, event_ts)]

    def pool(self, batch: pa.RecordBatch) -> EventPool:
        """See `EventForm`; those that do not fit are not in it."""
        events = self._decoded(batch, _BEGIN)
        return _TypedPool(self, [event for event in events if not isinstance(event, Rejection)])

    def _decoded(self, batch: pa.RecordBatch, event_ts: datetime) -> list[Event | Rejection]:
        return decode_rows(batch, self._decode.schema, event_ts, self._decode)

    def _record(self, event: Event) -> Record:
        key = self._id_of(event).encode("utf-8", "surrogatepass")
        return {"key": key, "value": self._encode(event)}

    def at(self, event: Event, now: datetime) -> Record:
        """A customer's event at another time."""
        return self._record(msgspec.structs.replace(event, event_ts=now))


class _TypedPool:
    def __init__(self, form: TypedEvents, events: list[Event]) -> None:
        self._form, self._events = form, events

    def __len__(self) -> int:
        return len(self._events)

    def records(self, chosen: Iterable[int], now: datetime) -> list[Record]:
        """See `EventPool`."""
        return [self._form.at(self._events[number], now) for number in chosen]

"""The time of an event as its source writes it, made RFC 3339."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from churnstream.codecs.connect_kinds import PARTS_OF_A_SECOND
from churnstream.codecs.opened_json import path_of
from churnstream.codecs.source_values import since_1970
from churnstream.records.rejection import Rejection
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import RECORD_TIME, EventSource

_UNITS = {"epoch-seconds": 1, "epoch-millis": 1_000, "epoch-micros": 1_000_000}
_BEGIN = msgspec.json.encode(EVENT_TS) + b":"
_MILLIS = 1_000


class TimeReader:
    """Writes the time of an event as our own events have it.

    Attributes:
        is_of_record: Whether the record's timestamp is the event's time.
        path: Of the time from the outermost object; None where the source names none.
        a_second: How many units of a time are one; None where it is no number.
    """

    def __init__(self, source: EventSource) -> None:
        self._source, self._zone = source, ZoneInfo(source.zone)
        self.is_of_record = source.time == RECORD_TIME
        self.path = path_of(source.time) if source.time and not self.is_of_record else None
        is_change = source.envelope == "debezium" and not self.path
        self.a_second = _MILLIS if is_change else _UNITS.get(source.time_format)
        preset = {"debezium": "source.ts_ms", "cloudevents": "time"}.get(source.envelope or "")
        self._where = source.time or preset or EVENT_TS

    def member(self, raw: bytes | None, timestamp: int, kind: str = "") -> bytes | Rejection:
        """The member `event_ts`, or why there is none.

        Args:
            raw: The time as JSON; it does not matter where the record's counts.
            timestamp: Of the record, milliseconds since 1970.
            kind: Its type in a Connect schema; "" where none is known.
        """
        if self.is_of_record:
            return self._quoted(since_1970(str(timestamp).encode(), _MILLIS))
        if raw is None:
            return Rejection(
                "missing_field", EVENT_TS, f"is missing; it is read from {self._where}"
            )
        if unit := PARTS_OF_A_SECOND.get(kind, self.a_second):
            return self._quoted(since_1970(raw, unit))
        if self._source.time_format == "local":
            return self._quoted(self._with_zone(raw))
        return _BEGIN + raw

    def _with_zone(self, raw: bytes) -> str | None:
        """A time without a zone is in the source's; one that has a zone keeps it."""
        try:
            found = datetime.fromisoformat(msgspec.json.decode(raw, type=str).strip())
            own = found if found.tzinfo else found.replace(tzinfo=self._zone)
            return own.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, msgspec.DecodeError):
            return None

    def _quoted(self, text: str | None) -> bytes | Rejection:
        if text is None:
            said = f"{self._where} is no time as `source: time_format` in the schema says"
            return Rejection("invalid_value", EVENT_TS, said)
        return _BEGIN + b'"' + text.encode() + b'"'

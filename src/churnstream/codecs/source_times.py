"""The time of an event as its source writes it, made RFC 3339."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from churnstream.codecs.opened_json import OpenedJson, Path, path_of
from churnstream.codecs.source_values import since_1970
from churnstream.records.rejection import Rejection
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import RECORD_TIME, EventSource

_A_SECOND = {"epoch-seconds": 1, "epoch-millis": 1_000, "epoch-micros": 1_000_000}
_BEGIN = msgspec.json.encode(EVENT_TS) + b":"
_MILLIS = 1_000


class TimeReader:
    """Finds the time of an event, and writes it as our own events have it."""

    def __init__(self, source: EventSource) -> None:
        self._source, self._zone = source, ZoneInfo(source.zone)
        named = source.time if source.time != RECORD_TIME else None
        self._path = path_of(named) if named else None

    def __call__(
        self,
        event: OpenedJson,
        outer: Path,
        inside: Path,
        attributes: Mapping[str, str],
        timestamp: int,
    ) -> bytes | Rejection | None:
        """The member `event_ts`; None where the event has none.

        Args:
            outer: Where a change of Debezium is.
            inside: Where the fields are.
            attributes: Of a CloudEvent in binary mode.
            timestamp: Of the record, milliseconds since 1970.
        """
        if self._source.time == RECORD_TIME:
            return _member(since_1970(str(timestamp).encode(), _MILLIS), "the record's timestamp")
        if self._path:
            return self._read(event.find(self._path), ".".join(self._path))
        if self._source.envelope == "debezium":
            raw = event.find((*outer, "source", "ts_ms")) or event.find((*outer, "ts_ms"))
            return _member(since_1970(raw or b"", _MILLIS), "ts_ms")
        if self._source.envelope == "cloudevents":
            if attributes:
                return self._read(msgspec.json.encode(attributes.get("time")), "ce_time")
            return self._read(event.find(("time",)), "time")
        return self._read(event.find((*inside, EVENT_TS)), EVENT_TS)

    def _read(self, raw: bytes | None, where: str) -> bytes | Rejection | None:
        if raw is None or raw == b"null":
            return Rejection("missing_field", EVENT_TS, f"is missing; it is read from {where}")
        if self._source.time_format in _A_SECOND:
            return _member(since_1970(raw, _A_SECOND[self._source.time_format]), where)
        if self._source.time_format == "local":
            return _member(self._local(raw), where)
        return _BEGIN + raw

    def _local(self, raw: bytes) -> str | None:
        """A time without a zone; one that has a zone keeps it."""
        try:
            found = datetime.fromisoformat(msgspec.json.decode(raw, type=str).strip())
            own = found if found.tzinfo else found.replace(tzinfo=self._zone)
            return own.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, msgspec.DecodeError):
            return None


def _member(text: str | None, where: str) -> bytes | Rejection:
    if text is None:
        said = f"{where} is no time as `source: time_format` in the schema says"
        return Rejection("invalid_value", EVENT_TS, said)
    return _BEGIN + b'"' + text.encode() + b'"'

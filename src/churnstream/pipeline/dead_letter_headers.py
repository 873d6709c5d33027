"""Dead letters: the record as it came, with what went wrong in its headers."""

import re
from datetime import datetime

import msgspec

from churnstream.kafka.client import Headers, Message, headers_of
from churnstream.kafka.writer import FullRecord
from churnstream.records.dead_letter import DeadLetter, TimestampType
from churnstream.records.rejection import Rejection

_CONNECT = "__connect.errors."
_OWN = "churnstream."
_CONNECT_NAMES = {
    "topic": "topic",
    "partition": "partition",
    "offset": "offset",
    "stage": "stage",
    "class_name": "class.name",
    "exception_class_name": "exception.class.name",
    "message": "exception.message",
}
HEADER_NAMES: dict[str, str] = {
    field: _CONNECT + _CONNECT_NAMES[field]
    if field in _CONNECT_NAMES
    else _OWN + field.replace("_", ".")
    for field in DeadLetter.__struct_fields__
}
_FIELD_NAMES = {header: field for field, header in HEADER_NAMES.items()}
_MESSAGE_LENGTH = 500
_STAGES = {
    "key_mismatch": "KEY_CONVERTER",
    "not_scorable": "TRANSFORMATION",
    "too_large": "TRANSFORMATION",
    "unknown_category": "TRANSFORMATION",
}
_TIMESTAMP_TYPES: dict[int, TimestampType] = {1: "CreateTime", 2: "LogAppendTime"}
KEY_OMITTED = _OWN + "key.omitted.bytes"
VALUE_OMITTED = _OWN + "value.omitted.bytes"
HEADERS_OMITTED = _OWN + "headers.omitted.count"
_OMITTED = {KEY_OMITTED, VALUE_OMITTED, HEADERS_OMITTED}
_UNREADABLE = b"unreadable"
# What the record format adds at most (https://kafka.apache.org/documentation/#messageformat).
PER_BATCH = 120
_PER_HEADER = 10
# Bytes that a dead letter may always have: what it says of its record, without the record.
SMALLEST_LIMIT = 8 * 1024


def describe_rejection(
    record: Message, rejection: Rejection, *, group: str, model_version: str, now: datetime
) -> DeadLetter:
    """What the headers of this record's dead letter will say."""
    kind, timestamp = record.timestamp()
    return DeadLetter(
        topic=record.topic() or "",
        partition=record.partition() or 0,
        offset=record.offset() or 0,
        stage=_STAGES.get(rejection.reason, "VALUE_CONVERTER"),
        class_name="churnstream",
        exception_class_name=f"churnstream.{rejection.reason}",
        message=str(rejection)[:_MESSAGE_LENGTH],
        reason=rejection.reason,
        attempt=attempt(record) + 1,
        group=group,
        model_version=model_version,
        failed_at=now,
        timestamp=timestamp if kind in _TIMESTAMP_TYPES else msgspec.UNSET,
        timestamp_type=_TIMESTAMP_TYPES.get(kind, msgspec.UNSET),
    )


def dead_letter_record(record: Message, dead_letter: DeadLetter, max_bytes: int) -> FullRecord:
    """The dead letter to send: value, key and foreign headers byte for byte.

    Args:
        max_bytes: What the dead-letter topic takes, `SMALLEST_LIMIT` or more. A record that is too
            large with its new headers goes without its value, and then without its own headers and
            its key as far as it must; a header says which. The source still has them.
    """
    key, value, own = record.key(), record.value(), original_headers(record)
    failure = failure_headers(dead_letter)
    if own is None:
        failure.append((HEADERS_OMITTED, _UNREADABLE))
        own = []
    if value is not None and _size(key, value, own + failure) > max_bytes:
        failure.append((VALUE_OMITTED, str(len(value)).encode()))
        value = None
    if own and _size(key, value, own + failure) > max_bytes:
        failure.append((HEADERS_OMITTED, str(len(own)).encode()))
        own = []
    if key is not None and _size(key, value, own + failure) > max_bytes:
        failure.append((KEY_OMITTED, str(len(key)).encode()))
        key = None
    return {
        "key": key,
        "value": value,
        "headers": own + failure,
        "timestamp": int(dead_letter.failed_at.timestamp() * 1000),
    }


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Upper bound of the bytes of a record batch with this one record."""
    named = sum(len(name) + len(content or b"") + _PER_HEADER for name, content in headers)
    return PER_BATCH + len(key or b"") + len(value or b"") + named


def failure_headers(dead_letter: DeadLetter) -> Headers:
    """A dead letter's description as headers, all text in UTF-8."""
    fields = msgspec.to_builtins(dead_letter)
    return [(HEADER_NAMES[name], str(value).encode()) for name, value in fields.items()]


def original_headers(record: Message) -> Headers | None:
    """The headers that came with the record, without those of an earlier failure.

    None if they cannot be passed on: see `headers_of`.
    """
    headers = headers_of(record)
    if headers is None:
        return None
    return [pair for pair in headers if pair[0] not in _FIELD_NAMES and pair[0] not in _OMITTED]


def is_whole(record: Message) -> bool:
    """Whether the dead letter still has all of its original record."""
    return not _OMITTED & _by_name(record).keys()


def attempt(record: Message) -> int:
    """How often the record was rejected before: 0 for one that never was."""
    text = _by_name(record).get(HEADER_NAMES["attempt"]) or b""
    return int(text) if re.fullmatch(rb"\d{1,9}", text) else 0


def parse_dead_letter(record: Message) -> DeadLetter:
    """Read the description back from a dead letter's headers.

    Raises:
        msgspec.ValidationError: The record is no dead letter of ours.
    """
    fields = {
        _FIELD_NAMES[name]: (value or b"").decode(errors="replace")
        for name, value in _by_name(record).items()
        if name in _FIELD_NAMES
    }
    return msgspec.convert(fields, DeadLetter, strict=False)


def _by_name(record: Message) -> dict[str, bytes | None]:
    """The last header of each name: ours stand behind those of others."""
    return dict(headers_of(record) or [])

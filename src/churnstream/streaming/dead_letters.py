"""Dead letters: the record as it came, with what went wrong in its headers."""

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from churnstream.messages import DeadLetter, Rejection
from churnstream.streaming.kafka.client import Message
from churnstream.streaming.kafka.writer import FullRecord, Headers

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
    "unknown_category": "TRANSFORMATION",
}
_TIMESTAMP_MISSING = 0
VALUE_OMITTED = _OWN + "value.omitted.bytes"
HEADERS_OMITTED = _OWN + "headers.omitted.count"
# What the record format adds at most (https://kafka.apache.org/documentation/#messageformat).
_PER_BATCH = 120
_PER_HEADER = 10


def describe(
    record: Message, rejection: Rejection, *, group: str, model_version: str, now: datetime
) -> DeadLetter:
    """What the headers of this record's dead letter will say."""
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
    )


def to_record(record: Message, letter: DeadLetter, most_bytes: int) -> FullRecord:
    """The dead letter to send: value, key, timestamp and foreign headers byte for byte.

    Args:
        most_bytes: What the dead-letter topic takes. A record that is too large with its new
            headers goes without its value, and without its own headers if those alone are too
            large; a header says which. The source still has them.
    """
    kind, timestamp = record.timestamp()
    key, value = record.key(), record.value()
    own, failure = original_headers(record), failure_headers(letter)
    if value is not None and _size(key, value, own + failure) > most_bytes:
        failure.append((VALUE_OMITTED, str(len(value)).encode()))
        value = None
    if own and _size(key, value, own + failure) > most_bytes:
        failure.append((HEADERS_OMITTED, str(len(own)).encode()))
        own = []
    headers = own + failure
    return {
        "key": key,
        "value": value,
        "headers": headers,
        "timestamp": timestamp if kind else _TIMESTAMP_MISSING,
    }


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Upper bound of the bytes of a record batch with this one record."""
    named = sum(len(name) + len(content or b"") + _PER_HEADER for name, content in headers)
    return _PER_BATCH + len(key or b"") + len(value or b"") + named


def failure_headers(letter: DeadLetter) -> Headers:
    """A dead letter's description as headers, all text in UTF-8."""
    fields = msgspec.to_builtins(letter)
    return [(HEADER_NAMES[name], str(value).encode()) for name, value in fields.items()]


def original_headers(record: Message) -> Headers:
    """The headers that came with the record, without those of an earlier failure."""
    return [(name, _as_bytes(v)) for name, v in _headers(record) if name not in _FIELD_NAMES]


def is_whole(record: Message) -> bool:
    """Whether the dead letter still has all of its original record."""
    return not {VALUE_OMITTED, HEADERS_OMITTED} & dict(_headers(record)).keys()


def attempt(record: Message) -> int:
    """How often the record was refused before: 0 for one that never was."""
    header = dict(_headers(record)).get(HEADER_NAMES["attempt"])
    text = _as_bytes(header) or b""
    return int(text) if re.fullmatch(rb"\d{1,9}", text) else 0


def parse(record: Message) -> DeadLetter:
    """Read the description back from a dead letter's headers.

    Raises:
        msgspec.ValidationError: The record is no dead letter of ours.
    """
    fields = {
        _FIELD_NAMES[name]: (_as_bytes(value) or b"").decode(errors="replace")
        for name, value in _headers(record)
        if name in _FIELD_NAMES
    }
    return msgspec.convert(fields, DeadLetter, strict=False)


def _headers(record: Message) -> Sequence[tuple[str, str | bytes | None]]:
    headers = record.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value

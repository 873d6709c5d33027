"""A look at single records, as they lie in a topic.

Anyone may have written them: what is kept and shown of one is bounded before anything is made of
it.
"""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec
import numpy as np

from churnstream.codecs.prediction_codec import AsJson, as_it_is
from churnstream.connection_settings import KafkaSettings
from churnstream.errors import ChurnstreamError
from churnstream.escaping import printable
from churnstream.kafka.client import Message, headers_of
from churnstream.kafka.scan import Scan
from churnstream.pipeline.topic_layout import PartitionState
from churnstream.records.rejection import UNDECODABLE

NO_TIMESTAMP = -1e18
"""The timestamp of a record that has none: no clock shows it."""

_MAX_SHOWN = 20_000  # bytes of a value
_MAX_IN_A_LIST = 400
_MAX_DEPTH = 40  # levels: deeper ones are mostly blanks when they are indented
_MAX_KEY_LENGTH = 500
_MAX_HEADERS = 40
_MAX_HEADER_LENGTH = 500
_KEPT = 32
_NOT_THERE = "There is no record at this offset: retention removed it, or none is there yet."
_LEVELS = np.zeros(256, np.int32)
_LEVELS[[*b"[{"]], _LEVELS[[*b"]}"]] = 1, -1


class Position(NamedTuple):
    """Where a record lies in its topic."""

    partition: int
    offset: int


class ShownRecord(NamedTuple):
    """A record in words.

    Attributes:
        at: Seconds since 1970.
        value: Its beginning, or all of it, indented if it is JSON.
        size: Bytes of the value.
    """

    partition: int
    offset: int
    at: float
    key: str
    value: str
    size: int
    headers: list[tuple[str, str]]


class RecordLookup:
    """Looks records up by topic and position.

    Args:
        as_json: Makes keys and values readable.
    """

    def __init__(self, settings: KafkaSettings, as_json: AsJson = as_it_is) -> None:
        self._settings, self._as_json = settings, as_json
        self._kept: OrderedDict[tuple[str, Position], ShownRecord] = OrderedDict()

    def forget(self) -> None:
        """The topics are others now."""
        self._kept.clear()

    def get(
        self, topic: str, position: Position, partitions: Mapping[int, PartitionState]
    ) -> ShownRecord | str:
        """One record, or why it cannot be shown.

        Args:
            partitions: Of the topic, as last described: what lies outside is not asked for.
        """
        partition, offset = position
        row = partitions.get(partition)
        if row is None or not row.begin <= offset < row.end:
            return _NOT_THERE
        if known := self._kept.get((topic, position)):
            return known
        try:
            scan = Scan(self._settings, topic, {partition: offset}, {partition: offset + 1})
            found = [message for batch in scan for message in batch]
        except ChurnstreamError as error:
            return f"It cannot be read: {error}."
        if not found or found[0].offset() != offset:
            return _NOT_THERE
        record = self._kept[topic, position] = _whole(found[0], self._as_json)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return record


def timestamp_of(message: Message) -> float:
    """The record's timestamp, seconds since 1970."""
    kind, timestamp = message.timestamp()
    return timestamp / 1000 if kind else NO_TIMESTAMP


def position_of(message: Message) -> Position:
    """Where the record lies."""
    return Position(message.partition() or 0, message.offset() or 0)


def record_of(message: Message, as_json: AsJson = as_it_is) -> ShownRecord:
    """A record as a list shows it: the beginning of key and value, and no headers."""
    value = as_json(message.value()) or b""
    return ShownRecord(
        *position_of(message),
        timestamp_of(message),
        _text(as_json(message.key()), _MAX_IN_A_LIST),
        _text(value, _MAX_IN_A_LIST),
        len(message.value() or b""),
        [],
    )


def _whole(message: Message, as_json: AsJson) -> ShownRecord:
    headers = headers_of(message)
    if headers is None:
        headers = [("headers", b"cannot be shown: a name is not UTF-8")]
    shown = [
        (printable(name, _MAX_HEADER_LENGTH), _text(content, _MAX_HEADER_LENGTH))
        for name, content in headers[:_MAX_HEADERS]
    ]
    if more := len(headers) - _MAX_HEADERS:
        shown += [("…", f"{more:,} more headers")] if more > 0 else []
    value = as_json(message.value()) or b""
    return record_of(message)._replace(
        key=_text(as_json(message.key()), _MAX_KEY_LENGTH), value=_indented(value), headers=shown
    )


def _text(content: bytes | str | None, max_length: int) -> str:
    """Text of the first bytes."""
    if content is None:
        return "null"
    start = content[:max_length]
    text = start if isinstance(start, str) else start.decode(errors="replace")
    return text if len(content) <= max_length else f"{text}…"


def _indented(value: bytes) -> str:
    """JSON with a line for each member, and what is none, too long or too deep as it is."""
    if len(value) <= _MAX_SHOWN and _depth(value) <= _MAX_DEPTH:
        with suppress(*UNDECODABLE):
            value = msgspec.json.format(value, indent=2)
    start = value[:_MAX_SHOWN].decode(errors="replace")
    return start if len(value) <= _MAX_SHOWN else f"{start}\n… cut here"


def _depth(value: bytes) -> int:
    """How many brackets are open at most; those in texts count, too."""
    return int(np.cumsum(_LEVELS[np.frombuffer(value, np.uint8)]).max(initial=0))

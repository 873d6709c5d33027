"""A look at single records, as they lie in a topic."""

import json
import time
from collections.abc import Mapping
from typing import NamedTuple

from churnstream.config import KafkaSettings
from churnstream.errors import ChurnstreamError
from churnstream.streaming.kafka.client import Message
from churnstream.streaming.kafka.scan import Scan
from churnstream.streaming.topics import PartitionState

_NEWEST = 8  # of each partition
_KEEP = 2.0  # seconds that a list is shown before the topic is asked again
_MOST_SHOWN = 20_000
_NOT_THERE = "There is no record at this place: retention removed it, or none is there yet."


class Record(NamedTuple):
    """A record in words.

    Attributes:
        at: Seconds since 1970.
        value: Indented if it is JSON; cut if it is long.
        size: Bytes of the value.
    """

    partition: int
    offset: int
    at: float
    key: str
    value: str
    size: int
    headers: list[tuple[str, str]]


class Records:
    """Looks records up by topic and place."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._kept: dict[str, tuple[float, list[Record]]] = {}

    def newest(self, topic: str, partitions: Mapping[int, PartitionState]) -> list[Record]:
        """The last records of each partition, newest first."""
        at, found = self._kept.get(topic, (0.0, []))
        if time.monotonic() - at < _KEEP:
            return found
        starts = {p: max(row.begin, row.end - _NEWEST) for p, row in partitions.items()}
        ends = {p: row.end for p, row in partitions.items()}
        try:
            batches = list(Scan(self._settings, topic, starts, ends)) if starts else []
        except ChurnstreamError:
            return found  # the page says elsewhere that no broker answers
        records = [_record(message) for batch in batches for message in batch]
        records.sort(key=lambda record: (-record.at, -record.offset))
        self._kept[topic] = time.monotonic(), records
        return records

    def get(
        self, topic: str, place: tuple[int, int], partitions: Mapping[int, PartitionState]
    ) -> Record | str:
        """One record, or why it cannot be shown.

        Args:
            place: Partition and offset.
            partitions: Of the topic, as last described: what lies outside is not asked for.
        """
        partition, offset = place
        row = partitions.get(partition)
        if row is None or not row.begin <= offset < row.end:
            return _NOT_THERE
        try:
            scan = Scan(self._settings, topic, {partition: offset}, {partition: offset + 1})
            found = [message for batch in scan for message in batch]
        except ChurnstreamError as error:
            return f"It cannot be read: {error}."
        if not found or found[0].offset() != offset:
            return _NOT_THERE
        return _record(found[0])


def _record(message: Message) -> Record:
    value = message.value() or b""
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Record(
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1] / 1000,
        _text(message.key()),
        _indented(value),
        len(value),
        [(name, _text(content)) for name, content in pairs],
    )


def _text(content: bytes | str | None) -> str:
    if content is None:
        return "null"
    return content if isinstance(content, str) else content.decode(errors="replace")


def _indented(value: bytes) -> str:
    try:
        text = json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = value.decode(errors="replace")
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "\n… cut here"

"""Which part of the input topic `--from` and `--to` mean."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from churnstream.errors import ConfigurationError
from churnstream.kafka.admin import Admin
from churnstream.pipeline.offset_window import OffsetWindow
from churnstream.settings import Settings

Offsets = dict[int, int]
"""By partition."""

_OFFSETS = re.compile(r"[0-9]+:[0-9]{1,18}(,[0-9]+:[0-9]{1,18})*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def resolve(admin: Admin, topic: str, text: str, flag: str) -> dict[int, int]:
    """Offsets by partition for a window's start or end as the user wrote it.

    Args:
        admin: Asked for the offsets at a timestamp.
        topic: The topic of the window.
        text: RFC 3339 timestamp (UTC if it has no offset), or `PARTITION:OFFSET,…`; partitions
            that are not named are left out.
        flag: For the error message.

    Raises:
        ConfigurationError: It is neither, or names a partition that the topic does not have.
    """
    if _OFFSETS.fullmatch(text):
        pairs = [part.split(":") for part in text.split(",")]
        offsets = {int(p): int(offset) for p, offset in pairs}
        if unknown := sorted(set(offsets) - set(admin.partitions(topic))):
            raise ConfigurationError(f"{flag}: topic {topic} has no partition {unknown[0]}")
        return offsets
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{flag}: {text!r} is neither a timestamp such as 2026-11-23T08:00:00Z "
            "nor offsets such as 0:1200,1:1180,2:1210"
        ) from error
    timestamp = timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
    if timestamp < _EPOCH:
        raise ConfigurationError(f"{flag}: {text} lies before 1970, where Kafka's time begins")
    return admin.offsets_at(topic, timestamp)


def bounded(
    admin: Admin,
    topic: str,
    group: str,
    *,
    start: str | None,
    end: str | None,
    max_messages: int | None,
) -> tuple[OffsetWindow, dict[int, int]]:
    """The window of a batch run, and where to begin in partitions the group has no offset in.

    The group's offset always counts, unless it lies beyond the end: what it has scored is not
    scored again, and what lies between its offset and the window's start is not jumped over.

    Raises:
        ConfigurationError: The window leaves out records that the group has not scored.
    """
    committed = admin.committed(group, topic)  # before the latest offsets, which others move on
    latest = admin.latest_offsets(topic)
    void = {p: offset for p, offset in committed.items() if offset > latest.get(p, 0)}
    committed = {p: offset for p, offset in committed.items() if p not in void}
    ends = latest if end is None else latest | _capped(resolve(admin, topic, end, "--to"), latest)
    earliest = admin.earliest_offsets(topic)
    starts = resolve(admin, topic, start, "--from") if start else {}
    for p in sorted(starts.keys() & committed.keys()):
        if starts[p] > committed[p] and ends[p] > committed[p]:
            raise ConfigurationError(
                f"--from would skip offsets {committed[p]} to {starts[p] - 1} of partition {p}, "
                f"which group {group} has not scored; use another --group for a window of its own"
            )
    window = OffsetWindow(ends, max_messages, void)
    window.start_from(earliest | starts | committed)
    return window, starts


def _capped(offsets: Mapping[int, int], latest: Mapping[int, int]) -> dict[int, int]:
    return {p: min(offset, latest[p]) for p, offset in offsets.items()}


def named_offsets(settings: Settings, admin: Admin) -> tuple[Offsets | None, Offsets | None]:
    """The first offset and the end (exclusive) that are asked for; None where nothing is."""
    topic, own = settings.topics.input, settings.consumer
    starts = resolve(admin, topic, own.start, "--from") if own.start else None
    ends = resolve(admin, topic, own.end, "--to") if own.end else None
    return starts, ends


def offset_range(settings: Settings, admin: Admin) -> tuple[Offsets, Offsets]:
    """First offset and end (exclusive) of every partition of the input topic.

    Partitions that are not named are meant as a whole.
    """
    topic = settings.topics.input
    starts, ends = admin.earliest_offsets(topic), admin.latest_offsets(topic)
    named = named_offsets(settings, admin)
    return starts | (named[0] or {}), ends | (named[1] or {})

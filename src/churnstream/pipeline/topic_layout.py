"""The topics of the flow: what they are, and what stands in them."""

from collections.abc import Iterable

import msgspec

from churnstream.kafka.admin import Admin
from churnstream.kafka.topic_creation import TopicSpec
from churnstream.settings import Settings

# The broker's default limit is 1 MiB a record; a dead letter is a record plus its headers.
_DEADLETTER_BYTES = 2 * 1024 * 1024
_COMPACTED = {"cleanup.policy": "compact"}


class PartitionState(msgspec.Struct, frozen=True):
    """One partition as `topics describe` shows it.

    Attributes:
        begin: First offset that is still there.
        end: One past the last.
        committed: The group's offset, None before its first commit or for topics it does not read.
        lag: What the group has still to read.
        beyond: How far the group's offset lies beyond the end, where it should not be: reading
            starts over there, so all of the partition counts as lag.
    """

    topic: str
    partition: int
    begin: int
    end: int
    committed: int | None
    lag: int | None
    beyond: int = 0


def topic_specs(settings: Settings, *, notified: bool = False) -> list[TopicSpec]:
    """The topics to create, in the order of the flow.

    Args:
        notified: Whether to have the one that webhooks need although no address for them is set.
    """
    topics = settings.topics
    copies = topics.replication_factor
    large = {"max.message.bytes": str(_DEADLETTER_BYTES)}
    newest = [topics.newest] if topics.newest else []
    specs = [
        TopicSpec(topics.input, topics.partitions, copies, {}),
        TopicSpec(topics.output, topics.partitions, copies, {}),
        *(TopicSpec(name, topics.partitions, copies, _COMPACTED) for name in newest),
        TopicSpec(topics.deadletter, 1, copies, large),
        TopicSpec(topics.checkpoint, 1, copies, _COMPACTED),
    ]
    if notified or settings.notify.url:
        specs.append(TopicSpec(topics.notified, 1, copies, _COMPACTED))
    return specs


def create(admin: Admin, settings: Settings, *, notified: bool = False) -> dict[str, bool]:
    """Create the topics that do not exist; by name, whether each is new. See `topic_specs`."""
    return admin.create(topic_specs(settings, notified=notified))


def describe(admin: Admin, settings: Settings) -> list[PartitionState]:
    """Every partition of the topics of the flow.

    Outcomes are looked at before the events that they are of, so that there never seem to be more.

    Raises:
        TopicMissingError: One of them does not exist.
    """
    rows: list[PartitionState] = []
    for spec in reversed(topic_specs(settings)):
        reads = spec.name == settings.topics.input
        committed = admin.committed(settings.consumer.group, spec.name) if reads else {}
        earliest, latest = admin.earliest_offsets(spec.name), admin.latest_offsets(spec.name)
        for p in sorted(latest, reverse=True):
            offset = committed.get(p)
            beyond = max(0, (offset or 0) - latest[p])
            # What retention has removed is not waiting any more.
            read = earliest[p] if offset is None or beyond else max(offset, earliest[p])
            lag = latest[p] - read if reads else None
            rows.append(PartitionState(spec.name, p, earliest[p], latest[p], offset, lag, beyond))
    return rows[::-1]


def problems(rows: Iterable[PartitionState]) -> list[str]:
    """What is wrong with the group's offsets, in words."""
    return [
        f"the group's offset in partition {row.partition} of {row.topic} lies {row.beyond:,} "
        "beyond its end: the topic was truncated, or deleted and created again; a consumer starts "
        "over at its beginning"
        for row in rows
        if row.beyond
    ]

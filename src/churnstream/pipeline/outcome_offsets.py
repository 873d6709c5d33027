"""Which outcomes are of the input topic as it is now, and not of an earlier one of its name.

A prediction names its event by partition and offset, which a topic that was deleted and created
again uses anew. So whoever begins to score a topic that is not the one before leaves a note in the
checkpoint topic: where the output and the dead-letter topic ended then. What lies before is about
events that are gone.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import NamedTuple

import msgspec
import structlog

from churnstream.errors import BrokerError, TopicMissingError
from churnstream.kafka.admin import Admin
from churnstream.kafka.scan import Scan
from churnstream.kafka.writer import Record, Writer
from churnstream.records.rejection import UNDECODABLE
from churnstream.records.wire_types import Offset, Partition
from churnstream.settings import Settings

log = structlog.get_logger(__name__)

Offsets = dict[int, int]


class _Note(msgspec.Struct):
    """Where the outcomes of a topic begin.

    Attributes:
        topic: The input topic, and which of its name.
        begins: By ID of the output and of the dead-letter topic, the first offset by partition.
    """

    topic: str
    topic_id: str
    begins: dict[str, dict[Partition, Offset]]


_decode = msgspec.json.Decoder(_Note).decode


def note_outcome_start(
    settings: Settings, admin: Admin, topic_id: str, give_up: Callable[[], bool]
) -> None:
    """Note where the outcomes of this topic begin, unless somebody has.

    Several consumers may do so at once; then the earliest counts. Without the checkpoint topic, or
    the right to write there, nothing is noted, and scoring goes on.

    Args:
        give_up: Asked while waiting for the broker; True ends the wait.
    """
    topics = settings.topics
    try:
        admin.partitions(topics.checkpoint)  # the client would wait half a minute for it
        known = {note.topic_id for note in _read(settings, admin, give_up)}
        if topic_id in known:
            return
        outcomes = (topics.output, topics.deadletter) if known else ()
        begins = {admin.topic_id(name): admin.latest_written_offsets(name) for name in outcomes}
        own = settings.consumer
        key = f"outcomes:{topics.input}:{topic_id}:{own.group}:{own.instance}"
        note = msgspec.json.encode(_Note(topics.input, topic_id, begins))
        record: Record = {"key": key.encode(), "value": note}
        writer = Writer(settings.kafka, give_up=give_up)
        writer.send(topics.checkpoint, [record])
        writer.flush()
    except BrokerError as error:
        log.info("outcomes_not_noted", topic=topics.checkpoint, error=str(error))


class OutcomeOffsets(NamedTuple):
    """Where the outcomes of the input topic begin.

    Attributes:
        begins: By topic, the first offset by partition.
        former: How many offsets before them are about an earlier input topic.
    """

    begins: dict[str, Offsets]
    former: int


def outcome_starts(settings: Settings, admin: Admin, names: Collection[str]) -> OutcomeOffsets:
    """Find the outcomes of the input topic as it is now.

    Those of an earlier one are left out as far as it was noted when the present one began.

    Args:
        names: Of the output and the dead-letter topic those that matter.

    Raises:
        BrokerError: A topic cannot be read.
    """
    now = admin.topic_id(settings.topics.input)
    # Before the notes: where there is none of this topic yet, all that is written is of another.
    ends = {name: admin.latest_written_offsets(name) for name in names}
    notes = list(_read(settings, admin))
    own = [note for note in notes if note.topic_id == now]
    begins, former = {}, 0
    for name in names:
        first = begins[name] = admin.earliest_offsets(name)
        if notes:
            noted = [note.begins.get(admin.topic_id(name), {}) for note in own] or [ends[name]]
            begins[name] = {p: max(o, min(n.get(p, 0) for n in noted)) for p, o in first.items()}
            former += sum(begins[name].values()) - sum(first.values())
    return OutcomeOffsets(begins, former)


def _read(
    settings: Settings, admin: Admin, give_up: Callable[[], bool] = lambda: False
) -> Iterator[_Note]:
    """Every note about the input topic; none where there is no checkpoint topic.

    What somebody's open transaction hides is not waited for: that would hold up the first batch.
    """
    topics = settings.topics
    prefix = f"outcomes:{topics.input}:".encode()
    with suppress(TopicMissingError):
        begins, ends = (
            admin.earliest_offsets(topics.checkpoint),
            admin.latest_offsets(topics.checkpoint),
        )
        for batch in Scan(settings.kafka, topics.checkpoint, begins, ends, give_up):
            for record in batch:
                if (record.key() or b"").startswith(prefix):
                    yield from _parse(record.value() or b"", topics.input)


def _parse(value: bytes, topic: str) -> Iterator[_Note]:
    """The note in a record, unless somebody else wrote it."""
    with suppress(*UNDECODABLE):
        note = _decode(value)
        if note.topic == topic:
            yield note

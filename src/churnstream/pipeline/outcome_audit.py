"""The proof: every event has exactly one outcome.

An outcome is a prediction or a dead letter; both name the position of their event. What the
schema's source passes over by rule, such as the deletion of a row, has that for its outcome, and
the audit applies the same rule. It reads the three topics as committed and counts the outcomes of
each position.

While the pipeline works, the order of the snapshots keeps the verdict true: the group's offset
first, then the latest offsets of the outcomes, then those of the events. Every event before the
group's offset had its outcome when that offset was read, so one without is lost; an event behind it
without an outcome is still in flight.
"""

from collections.abc import Mapping

import msgspec

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.prediction_codec import reader_of
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Message
from churnstream.kafka.scan import Scan
from churnstream.pipeline.dead_letter_headers import parse_dead_letter
from churnstream.pipeline.decoding import decode_records, predictions_as_json, registry_values
from churnstream.pipeline.outcome_ledger import Audit, EventPosition, OutcomeLedger
from churnstream.pipeline.outcome_offsets import outcome_starts
from churnstream.records.passed_over import PassedOver
from churnstream.records.wire_types import Offset, Partition
from churnstream.schema.schema import Schema
from churnstream.settings import Settings


class _Source(msgspec.Struct):
    """The part of a prediction that names its event."""

    source_partition: Partition
    source_offset: Offset


def audit(
    settings: Settings,
    schema: Schema,
    admin: Admin,
    starts: Mapping[int, int] | None = None,
    ends: Mapping[int, int] | None = None,
) -> Audit:
    """Count the outcomes of every event.

    Args:
        schema: Of the events; by the rules of its source some are passed over.
        starts: First offset of the input topic to look at, by partition; None for the first there
            is.
        ends: Offset (exclusive) to look up to; None for all.

    Raises:
        BrokerError: A topic cannot be read.
    """
    topics, kafka = settings.topics, settings.kafka
    committed = admin.committed(settings.consumer.group, topics.input)
    # After the offsets: what they have passed has its outcome written by now, if it has one.
    output_ends = admin.latest_settled_offsets(topics.output)
    dead_letter_ends = admin.latest_settled_offsets(topics.deadletter)
    begins, last = admin.earliest_offsets(topics.input), admin.latest_offsets(topics.input)
    outcomes = outcome_starts(settings, admin, (topics.output, topics.deadletter))
    starts = {p: max(begin, (starts or {}).get(p, 0)) for p, begin in begins.items()}
    ends = {p: min(end, (ends or {}).get(p, end)) for p, end in last.items()}

    ledger = OutcomeLedger(starts, ends, last)
    decode, opened = EventDecoder(schema, closed=False), registry_values(settings, schema.source)
    for batch in Scan(kafka, topics.input, starts, ends):
        ledger.add_events(map(_position, batch))
        if schema.source and schema.source.passes_over:
            outcomes_of = zip(batch, decode_records(decode, batch, opened), strict=True)
            by_rule = [record for record, found in outcomes_of if isinstance(found, PassedOver)]
            ledger.add_passed_over(map(_position, by_rule))
    read = reader_of(_Source, predictions_as_json(settings))
    for batch in Scan(kafka, topics.output, outcomes.begins[topics.output], output_ends):
        ledger.add_predictions([_predicted(read(record.value())) for record in batch])
    for batch in Scan(
        kafka, topics.deadletter, outcomes.begins[topics.deadletter], dead_letter_ends
    ):
        ledger.add_dead_letters([_rejected(record, topics.input) for record in batch])
    # An offset beyond the end says nothing of the topic as it is now.
    beyond = sorted(p for p, offset in committed.items() if offset > last.get(p, 0))
    known = {p: offset for p, offset in committed.items() if p not in beyond}
    return ledger.verdict(known, former=outcomes.former, beyond=beyond)


def _position(record: Message) -> EventPosition:
    return record.partition(), record.offset()  # type: ignore[return-value]


def _predicted(source: _Source | None) -> EventPosition | None:
    """The position that a prediction speaks of; None if the record is no prediction."""
    return (source.source_partition, source.source_offset) if source else None


def _rejected(record: Message, topic: str) -> EventPosition | None:
    """The position that a dead letter speaks of; None if it is not one of this topic."""
    try:
        dead_letter = parse_dead_letter(record)
    except msgspec.ValidationError:
        return None
    return (dead_letter.partition, dead_letter.offset) if dead_letter.topic == topic else None

"""Records of the input topic, decoded as the schema's source says."""

from collections.abc import Sequence

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.source_records import Arrived
from churnstream.kafka.client import Message, contents_of, headers_of
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.record_types import Event


def decode_records(
    decode: EventDecoder, records: Sequence[Message]
) -> list[Event | PassedOver | Rejection]:
    """Of each record its event, by which rule it is passed over, or why there is none."""
    values, keys = contents_of(records)
    if decode.source is None:
        return decode.batch(values, keys)
    timestamps = [record.timestamp()[1] for record in records]
    headers = [headers_of(record) or () for record in records]
    return decode.batch_of(list(map(Arrived, values, keys, timestamps, headers)))

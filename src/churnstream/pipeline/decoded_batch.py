"""The records of one poll, sorted by what they are."""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.registry_values import RegistryValues
from churnstream.codecs.scan.scanned_events import ScannedEvents, events_at
from churnstream.codecs.source_hints import with_hint
from churnstream.kafka.client import Message, contents_of, keys_of
from churnstream.kafka.polled_records import PolledRecords
from churnstream.pipeline.decoding import decode_records
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.record_types import Event


class DecodedBatch(NamedTuple):
    """Good records with keys and events, rejected ones with the reasons, and what is no customer.

    Attributes:
        keys: Of the predictions.
    """

    good: PolledRecords
    keys: list[bytes | None]
    events: Sequence[Event]
    rejected: list[Message]
    rejections: list[Rejection]
    passed_over: list[PassedOver]

    def without(self, stays: NDArray[np.bool_], why: Callable[[int], Rejection]) -> "DecodedBatch":
        """Move good records to the rejected ones.

        Args:
            stays: Of each good record, whether it is good still, shape (n,).
            why: The reason for one that is not, by its number.
        """
        kept, others = np.flatnonzero(stays).tolist(), np.flatnonzero(~stays).tolist()
        return DecodedBatch(
            PolledRecords.of([self.good.records[i] for i in kept], self.good.end_offsets),
            [self.keys[i] for i in kept],
            events_at(self.events, kept),
            [*self.rejected, *(self.good.records[i] for i in others)],
            [*self.rejections, *map(why, others)],
            self.passed_over,
        )


def decode_batch(
    polled: PolledRecords, decode: EventDecoder, opened: RegistryValues | None
) -> DecodedBatch:
    """Decode the records of a poll, and sort them.

    Args:
        opened: Finds what values hold that are no JSON.
    """
    decoded = _decoded(polled, decode, opened)
    # Of scanned events only the others may be none.
    others = decoded.decoded if isinstance(decoded, ScannedEvents) else dict(enumerate(decoded))
    bad = [row for row, outcome in others.items() if type(outcome) is Rejection]
    passed_over = [outcome for outcome in others.values() if type(outcome) is PassedOver]
    if not bad and not passed_over:
        return DecodedBatch(polled, _keys(polled.records, decoded, decode), decoded, [], [], [])
    none = {row for row, found in others.items() if type(found) in (Rejection, PassedOver)}
    good = [row for row in range(len(decoded)) if row not in none]
    records, events = [polled.records[row] for row in good], events_at(decoded, good)
    rejected = [polled.records[row] for row in bad]
    reasons = map(
        with_hint, [decoded[row] for row in bad], *contents_of(rejected), repeat(decode.schema)
    )
    return DecodedBatch(
        PolledRecords.of(records, polled.end_offsets),
        _keys(records, events, decode),
        events,
        rejected,
        list(reasons),
        passed_over,
    )


def _decoded(
    polled: PolledRecords, decode: EventDecoder, opened: RegistryValues | None
) -> Sequence[Any]:
    """The outcome of each record."""
    if decode.scanner is None:
        return decode_records(decode, polled.records, opened)
    values, keys = contents_of(polled.records)
    found = decode.scanner(values, keys)
    if found is None:
        return decode.batch(values, keys)
    columns, is_read = found
    odd = np.flatnonzero(~is_read).tolist()
    decoded = decode.batch([values[row] for row in odd], [keys[row] for row in odd])
    others = dict(zip(odd, decoded, strict=True))
    scanned = np.flatnonzero(is_read)
    own = columns.take(scanned) if odd else columns
    return ScannedEvents(values, decode.known, own, scanned, others)  # type: ignore[arg-type]


def _keys(
    records: Sequence[Message], events: Sequence[Event], decode: EventDecoder
) -> list[bytes | None]:
    """The ids, which in our own events are the keys."""
    if decode.source is None:
        return keys_of(records)
    return [own.encode("utf-8", "surrogatepass") for own in map(decode.schema.id_of, events)]

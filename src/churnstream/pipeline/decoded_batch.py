"""The records of one poll, sorted by what they are."""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.registry_values import RegistryValues
from churnstream.codecs.source_hints import with_hint
from churnstream.kafka.client import Message, contents_of
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
    events: list[Event]
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
            [self.events[i] for i in kept],
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
    decoded: list[Any] = decode_records(decode, polled.records, opened)
    kinds = {*map(type, decoded)}
    if Rejection not in kinds and PassedOver not in kinds:
        return DecodedBatch(polled, _keys(polled.records, decoded, decode), decoded, [], [], [])
    bad = [i for i, outcome in enumerate(decoded) if type(outcome) is Rejection]
    passed_over = [outcome for outcome in decoded if type(outcome) is PassedOver]
    good = [i for i, found in enumerate(decoded) if type(found) not in (Rejection, PassedOver)]
    records, events = [polled.records[i] for i in good], [decoded[i] for i in good]
    rejected = [polled.records[i] for i in bad]
    reasons = map(
        with_hint, [decoded[i] for i in bad], *contents_of(rejected), repeat(decode.schema)
    )
    return DecodedBatch(
        PolledRecords.of(records, polled.end_offsets),
        _keys(records, events, decode),
        events,
        rejected,
        list(reasons),
        passed_over,
    )


def _keys(
    records: Sequence[Message], events: Sequence[Event], decode: EventDecoder
) -> list[bytes | None]:
    """The ids, which in our own events are the keys."""
    if decode.source is None:
        return contents_of(records)[1]
    return [own.encode("utf-8", "surrogatepass") for own in map(decode.schema.id_of, events)]

"""The compacted topic that remembers whom a webhook was sent of."""

from collections.abc import Collection
from typing import NamedTuple

import msgspec
import structlog

from churnstream.kafka.admin import Admin
from churnstream.pipeline.checkpoint import notes
from churnstream.pipeline.notify.risk_changes import SENT_AGAIN, RiskChange
from churnstream.records.notification import NotifiedCustomer
from churnstream.records.rejection import UNDECODABLE
from churnstream.settings import Settings

log = structlog.get_logger(__name__)

_MAX_SENT_AGAIN = 10_000  # at once: each is some kilobytes in memory

encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(NotifiedCustomer).decode


class KnownCustomers(NamedTuple):
    """What the topic says of one partition of the predictions' topic.

    Attributes:
        keys: Of the customers at risk.
        refused: By key, the notifications that were refused, to be sent again.
    """

    keys: set[bytes]
    refused: dict[bytes, RiskChange]


def known_customers(
    settings: Settings, admin: Admin, partitions: Collection[int]
) -> dict[int, KnownCustomers]:
    """What is known of the customers of some partitions of the predictions' topic.

    Reads the whole topic. A record that is none of ours says nothing: its customer may be notified
    of once more, and none is left out.

    Raises:
        BrokerError: It cannot be read, or somebody's transaction in it does not end.
    """
    known = {p: KnownCustomers(set(), {}) for p in partitions}
    left_out = 0
    for record in notes(settings.kafka, admin, settings.topics.notified):
        key, state = record.key(), _read(record.value())
        if key is None:
            continue
        for own in known.values():
            own.keys.discard(key)
            own.refused.pop(key, None)
        if state is None or state.partition not in known:
            continue
        own = known[state.partition]
        own.keys.add(key)
        if state.refused and state.notification:
            if len(own.refused) < _MAX_SENT_AGAIN:
                again = RiskChange(state.partition, SENT_AGAIN, key, state.notification)
                own.refused[key] = again
            else:
                left_out += 1
    if left_out:
        log.warning("refused_notifications_left", count=left_out, until="the next start")
    return known


def _read(value: bytes | None) -> NotifiedCustomer | None:
    """The state in a record; None for a customer who is not at risk, or for none of ours."""
    try:
        return _decode_state(value) if value else None
    except UNDECODABLE:
        return None

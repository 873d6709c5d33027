"""Events out of records in the framing of a schema registry."""

from collections.abc import Callable, Sequence

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.registry_values import RegistryValues
from churnstream.codecs.source_records import Arrived, Headers
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.record_types import Event


def decode_framed(
    decode: EventDecoder,
    opened: RegistryValues,
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None],
    timestamp_at: Callable[[int], int],
    headers_at: Callable[[int], Headers],
) -> list[Event | PassedOver | Rejection]:
    """Of each record its event, by which rule it is passed over, or why there is none.

    Usual records are read together; whatever becomes no event so is read again, all by itself.

    Args:
        decode: With a source.
        values: (n,).
        keys: (n,).
        timestamp_at: Takes the row of a record; milliseconds since 1970.
        headers_at: Takes the row of a record.

    Raises:
        SchemasUnavailableError: A schema is not known yet, and the registry cannot be asked now.
    """
    assert decode.source is not None  # noqa: S101  # for the type checker
    cut, ids = opened.at_once(values, keys, timestamp_at, decode.source.layouts)
    rows = [row for row, value in enumerate(cut) if value is not None]
    events = decode.batch([cut[row] for row in rows], [ids[row] for row in rows])
    if len(rows) == len(values) and Rejection not in {*map(type, events)}:
        return [*events]
    found: dict[int, Event | PassedOver | Rejection] = {
        row: event
        for row, event in zip(rows, events, strict=True)
        if not isinstance(event, Rejection)
    }
    left = [row for row in range(len(values)) if row not in found]
    arrived = [Arrived(values[row], keys[row], timestamp_at(row), headers_at(row)) for row in left]
    found.update(zip(left, decode.batch_of(arrived, opened), strict=True))
    return [found[row] for row in range(len(values))]

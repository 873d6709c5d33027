"""The rows of a file that a model can be trained on, or measured with."""

from datetime import UTC, datetime

from churnstream.codecs.customer_rows import CustomerRows
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.event_encoder import decode_rows
from churnstream.errors import DataError
from churnstream.records.rejection import Rejection, RejectionCount
from churnstream.schema.label_and_value import label_reader
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

_ROWS = 10_000


def usable(rows: CustomerRows) -> tuple[list[Event], RejectionCount]:
    """The customers of a file, and why others are left out.

    Raises:
        DataError: None can be used; says why.
    """
    now, decode = datetime.now(UTC), EventDecoder(rows.schema)
    events: list[Event] = []
    rejected = RejectionCount()
    for batch in rows.batches(_ROWS):
        begin = len(events) + rejected.total
        for index, row in enumerate(decode_rows(batch, rows.schema, now, decode), start=begin):
            if isinstance(row, Rejection):
                rejected.add(row, rows.file.row_name(index))
            else:
                events.append(row)
    if not events:
        raise DataError(rows.useless("used", rejected))
    return events, rejected


def labelled(schema: Schema, events: list[Event]) -> list[Event]:
    """Those of whom it is known whether they left; all where it is known of none."""
    if schema.label is None:
        return events
    read = label_reader(schema)
    return [event for event in events if read(event) is not None] or events

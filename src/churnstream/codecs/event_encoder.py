"""Rows of customers → the events that stand for them, a column at a time.

Every way into the project (producer, training, file prediction) encodes rows here, so that a row
means the same everywhere. Nothing is checked: a text that should be a number and is none goes out
as the text it is, and whoever decodes the event says what is wrong with it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.records.rejection import Rejection
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.dates import date_in
from churnstream.schema.fields import AnyField, Integer, Number
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.values import Problem, read

_WHOLE = r"^-?(?:0|[1-9][0-9]{0,17})$"
_JSON_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_NEEDS_NO_ESCAPE = r'^[^"\\\x00-\x1f]*$'


class EncodedEvents(NamedTuple):
    """Records ready to send, one a row, in the order of the rows.

    Attributes:
        keys: The customer's ID in UTF-8; None where the row has none.
        values: The event as a JSON object in UTF-8.
    """

    keys: list[bytes | None]
    values: list[bytes]


def encode_events(batch: pa.RecordBatch, schema: Schema, event_ts: datetime) -> EncodedEvents:
    """Encode rows as events, their fields in the schema's order.

    Args:
        batch: String columns: `Schema.columns`, and the label where it is known.
        event_ts: When the rows were observed, where the schema names no column that says it; any
            time zone.
    """
    pieces = [_ids(schema.id, batch[schema.id])]
    pieces += [_members(name, field, batch[name]) for name, field in schema.fields.items()]
    pieces.append(_times(batch, schema.event_time, event_ts))
    if (label := schema.label) and label.field in batch.schema.names:
        pieces.append(_labels(label.field, batch[label.field]))
    values = pc.binary_join_element_wise(*pieces, "}", "")
    keys = batch[schema.id].cast(pa.binary())
    return EncodedEvents(keys=keys.to_pylist(), values=values.cast(pa.binary()).to_pylist())


def decode_rows(
    batch: pa.RecordBatch, schema: Schema, event_ts: datetime, decode: EventDecoder
) -> list[Event | Rejection]:
    """What a consumer would make of the rows: `encode_events`, then `decode`."""
    keys, values = encode_events(batch, schema, event_ts)
    return decode.batch(values, keys)


def _ids(name: str, column: pa.StringArray) -> pa.StringArray:
    """The first member, all at once: its values hardly ever repeat."""
    prefix = "{" + _name(name)
    members = pc.binary_join_element_wise(f'{prefix}"', column, '"', "")
    is_right = pc.match_substring_regex(column, _NEEDS_NO_ESCAPE)
    return _mend(members, is_right, column, partial(_as_it_is, prefix))


def _members(name: str, field: AnyField, column: pa.StringArray) -> pa.StringArray:
    """The column as members of a JSON object: `,"name":value`.

    A column has few distinct values, or (numbers) loses little by looking for them.
    """
    prefix = "," + _name(name)
    encoded = column.dictionary_encode(null_encoding="encode")
    texts = encoded.dictionary
    members = pc.binary_join_element_wise(prefix, pc.utf8_trim_whitespace(texts), "")
    numeric = {Integer: _WHOLE, Number: _JSON_NUMBER}.get(type(field))
    if numeric:
        is_right = pc.match_substring_regex(pc.utf8_trim_whitespace(texts), numeric)
    else:
        is_right = pa.array([False] * len(texts), pa.bool_())
    members = _mend(members, is_right, texts, partial(_as_read, prefix, field))
    return members.take(encoded.indices)


def _times(batch: pa.RecordBatch, name: str | None, event_ts: datetime) -> str | pa.StringArray:
    """When each row was observed: as its own column says, or all at one time."""
    prefix = f',"{EVENT_TS}":'
    if name is None or name not in batch.schema.names:
        return f'{prefix}"{_rfc3339(event_ts)}"'
    encoded = batch[name].dictionary_encode(null_encoding="encode")
    texts = encoded.dictionary.to_pylist()
    members = pa.array([_as_it_is(prefix, _time(text)) for text in texts], pa.string())
    return members.take(encoded.indices)


def _time(text: str | None) -> str | None:
    """A timestamp as events hold it; one of no zone is in UTC, and a day is its first second."""
    day = date_in((text or "").strip(), "year-first")
    if day is None or text is None:
        return text  # whoever decodes it says what is wrong
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = datetime(day.year, day.month, day.day)
    return _rfc3339(found if found.tzinfo else found.replace(tzinfo=UTC))


def _labels(name: str, column: pa.StringArray) -> pa.StringArray:
    """The label as its text; nothing where nobody knows it yet."""
    encoded = column.dictionary_encode(null_encoding="encode")
    texts = encoded.dictionary
    is_blank = pc.equal(pc.utf8_trim_whitespace(texts), "").fill_null(True)
    prefix = "," + _name(name)
    members = pa.array([_as_it_is(prefix, text) for text in texts.to_pylist()], pa.string())
    return pc.if_else(is_blank, "", members).take(encoded.indices)


def _mend(
    members: pa.StringArray,
    is_right: pa.BooleanArray,
    texts: pa.StringArray,
    make: Callable[[str | None], str],
) -> pa.StringArray:
    """`members`, with those that are not right as they are, or null, made anew from `texts`."""
    if is_right.true_count == len(is_right):
        return members
    is_wrong = pc.invert(is_right.fill_null(False))
    mended = pa.array([make(text) for text in texts.filter(is_wrong).to_pylist()], pa.string())
    return pc.replace_with_mask(members, is_wrong, mended)


def _as_read(prefix: str, field: AnyField, text: str | None) -> str:
    value = read(field, text)
    return _as_it_is(prefix, text if isinstance(value, Problem) else value)


def _as_it_is(prefix: str, value: object) -> str:
    return prefix + msgspec.json.encode(value).decode()


def _name(name: str) -> str:
    return msgspec.json.encode(name).decode() + ":"


def _rfc3339(timestamp: datetime) -> str:
    return timestamp.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

"""Rows of customers → the events that stand for them, a column at a time.

Every way into the project (producer, training, file prediction) encodes rows here, so that a row
means the same everywhere. Nothing is judged: a text that should be a number and is none goes out
as the text it is, and whoever decodes the event says what is wrong with it.
"""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from churnstream.codecs.decoding import EventDecoder, decode_event
from churnstream.records.messages import DATASET_COLUMNS, CustomerEvent, Rejection

_NUMERIC = frozenset({"SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"})
_JSON_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_NEEDS_NO_ESCAPE = r'^[^"\\\x00-\x1f]*$'


class EncodedEvents(NamedTuple):
    """Records ready to send, one a row, in the order of the rows.

    Attributes:
        keys: The `customerID` in UTF-8; None where the row has none.
        values: The event as a JSON object in UTF-8.
    """

    keys: list[bytes | None]
    values: list[bytes]


def encode_events(batch: pa.RecordBatch, event_ts: datetime) -> EncodedEvents:
    """Encode rows as events, their fields in the record's order.

    Args:
        batch: String columns: `messages.DATASET_COLUMNS`, and `Churn` where it is known.
        event_ts: When the rows were observed; any time zone.
    """
    pieces = [_members(name, batch[name]) for name in DATASET_COLUMNS]
    pieces.append(f',"event_ts":"{_rfc3339(event_ts)}"')
    if "Churn" in batch.schema.names:
        pieces.append(_members("Churn", batch["Churn"]))
    values = pc.binary_join_element_wise(*pieces, "}", "")
    keys = batch["customerID"].cast(pa.binary())
    return EncodedEvents(keys=keys.to_pylist(), values=values.cast(pa.binary()).to_pylist())


def decode_rows(
    batch: pa.RecordBatch, event_ts: datetime, decode: EventDecoder = decode_event
) -> list[CustomerEvent | Rejection]:
    """What a consumer would make of the rows: `encode_events`, then `decode`."""
    keys, values = encode_events(batch, event_ts)
    return [decode(value, key) for key, value in zip(keys, values, strict=True)]


def _members(name: str, column: pa.StringArray) -> pa.StringArray:
    """The column as members of a JSON object: `,"name":value`, or `{"name":value` for the first.

    All but the first have few distinct values, or (the charges) lose little by looking for them.
    """
    if name == "customerID":
        return _quoted('{"customerID":', column)
    encoded = column.dictionary_encode(null_encoding="encode")
    distinct = encoded.dictionary
    if name == "TotalCharges":
        distinct = _blank_to_null(distinct)  # how the data set says: no bill yet
    members = (_numbers if name in _NUMERIC else _quoted_one_by_one)(f',"{name}":', distinct)
    if name == "Churn":
        members = pc.if_else(_is_blank(distinct), "", members)  # a label that nobody knows yet
    return members.take(encoded.indices)


def _numbers(prefix: str, texts: pa.StringArray) -> pa.StringArray:
    """Numbers as they are written, and what is no number as the JSON string it is."""
    stripped = pc.utf8_trim_whitespace(texts)
    members = pc.binary_join_element_wise(prefix, stripped, "")
    return _mend(members, pc.match_substring_regex(stripped, _JSON_NUMBER), prefix, texts)


def _is_blank(texts: pa.StringArray) -> pa.BooleanArray:
    return pc.equal(pc.utf8_trim_whitespace(texts), "").fill_null(True)


def _blank_to_null(texts: pa.StringArray) -> pa.StringArray:
    return pc.if_else(_is_blank(texts), pa.scalar(None, pa.string()), texts)


def _quoted(prefix: str, texts: pa.StringArray) -> pa.StringArray:
    """JSON strings all at once, for a column of values that hardly ever repeat."""
    members = pc.binary_join_element_wise(f'{prefix}"', texts, '"', "")
    return _mend(members, pc.match_substring_regex(texts, _NEEDS_NO_ESCAPE), prefix, texts)


def _mend(
    members: pa.StringArray, is_right: pa.BooleanArray, prefix: str, texts: pa.StringArray
) -> pa.StringArray:
    """`members`, with those that are not right as they are, or null, made anew from `texts`."""
    if is_right.true_count == len(is_right):
        return members
    is_wrong = pc.invert(is_right.fill_null(False))
    mended = _quoted_one_by_one(prefix, texts.filter(is_wrong))
    return pc.replace_with_mask(members, is_wrong, mended)


def _quoted_one_by_one(prefix: str, texts: pa.StringArray) -> pa.StringArray:
    """JSON strings with every escape, and null for null: for few values."""
    encode = msgspec.json.encode
    return pa.array([prefix + encode(text).decode() for text in texts.to_pylist()], pa.string())


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

"""Predictions to bytes, and back."""

from collections.abc import Callable
from typing import Any

import msgspec

from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.record_types import prediction_type
from churnstream.schema.schema import Schema

encode_prediction: Callable[[Any], bytes] = msgspec.json.Encoder().encode

AsJson = Callable[[bytes | None], bytes | None]
"""Takes a value or key; JSON where it is in the framing of a schema registry, else as it is."""


def as_it_is(part: bytes | None) -> bytes | None:
    """See `AsJson`."""
    return part


def prediction_reader(schema: Schema, as_json: AsJson = as_it_is) -> Callable[[bytes | None], Any]:
    """Reads the prediction in a record's value; None for what is none.

    Args:
        schema: Of the customers.
        as_json: Whose errors are raised; nothing else is.
    """
    return reader_of(prediction_type(schema), as_json)


def reader_of(kind: type[msgspec.Struct], as_json: AsJson) -> Callable[[bytes | None], Any]:
    """The same for the parts of a prediction that a type has."""
    strict = msgspec.json.Decoder(kind).decode
    # Protobuf's numbers are texts in its JSON.
    lenient = msgspec.json.Decoder(kind, strict=False).decode

    def read(value: bytes | None) -> Any:  # noqa: ANN401  # of that type, or None
        is_framed = is_in_framing(value)
        found = as_json(value) if is_framed else value
        try:
            return lenient(found or b"") if is_framed else strict(found or b"")
        except UNDECODABLE:
            return None

    return read


def is_in_framing(value: bytes | None) -> bool:
    """Whether a value may be in the framing of a schema registry; JSON never is."""
    return bool(value) and value[:1] == b"\0"  # type: ignore[index]

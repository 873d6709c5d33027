"""Predictions to bytes, and back."""

from collections.abc import Callable
from typing import Any

import msgspec

from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.record_types import prediction_type
from churnstream.schema.schema import Schema

encode_prediction: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def prediction_reader(schema: Schema) -> Callable[[bytes | None], Any]:
    """Reads the prediction in a record's value; None for what is none. Never raises."""
    decode = msgspec.json.Decoder(prediction_type(schema)).decode

    def read(value: bytes | None) -> Any:  # noqa: ANN401  # of `prediction_type`, or None
        try:
            return decode(value or b"")
        except UNDECODABLE:
            return None

    return read

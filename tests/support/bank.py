"""A bank's customers: a schema of another shape than Telco's, whose customers have no value."""

import json
from typing import Any

from confluent_kafka import Message

from builders import message
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.records.rejection import Rejection
from churnstream.schema.fields import Boolean, Category, Integer, Number
from churnstream.schema.record_types import prediction_type
from churnstream.schema.schema import Label, Schema, Segment

BANK = Schema(
    name="bank",
    id="CustomerId",
    label=Label("Exited", "1", "0"),
    fields={
        "CreditScore": Integer(min=0),
        "Geography": Category(values=("France", "Germany", "Spain")),
        "Age": Integer(min=18),
        "Balance": Number(min=0, missing="allow"),
        "HasCrCard": Boolean(),
    },
    segments=("Geography", Segment("Age", (30, 45, 60)), Segment("HasCrCard", title="credit card")),
)
BankPrediction: Any = prediction_type(BANK)
_decode = EventDecoder(BANK, closed=False)


def bank_event(**changes: Any) -> dict[str, Any]:
    """A valid event as a plain dict, with `changes` made to it."""
    valid = {
        "CustomerId": "15634602",
        "CreditScore": 619,
        "Geography": "France",
        "Age": 42,
        "Balance": 1234567.89,
        "HasCrCard": 1,
        "event_ts": "2026-01-02T03:04:05Z",
    }
    return {**valid, **changes}


def bank_message(offset: int = 0, **changes: Any) -> Message:
    """A record that holds a valid event, with `changes` made to it."""
    event = bank_event(**changes)
    return message(json.dumps(event).encode(), key=event["CustomerId"].encode(), offset=offset)


def bank_customer(**changes: Any) -> Any:
    """A valid event as the decoder makes it, with `changes` made to it."""
    event = bank_event(**changes)
    found = _decode(json.dumps(event).encode(), event["CustomerId"].encode())
    assert not isinstance(found, Rejection), found
    return found

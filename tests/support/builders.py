"""Small builders of test data: one valid customer event, and that event with something changed."""

import json
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from churnstream.codecs.customer_rows import CustomerRows, open_rows
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.prediction_codec import prediction_reader
from churnstream.schema import schema_file
from churnstream.schema.record_types import event_type, prediction_type

TELCO = schema_file.read(schema_file.TELCO_FILE)
CustomerEvent: Any = event_type(TELCO, closed=False)
Prediction: Any = prediction_type(TELCO)
DATASET_COLUMNS = TELCO.columns
read_prediction = prediction_reader(TELCO)
decode_prediction = msgspec.json.Decoder(Prediction).decode
decode_event = EventDecoder(TELCO, closed=False)


def telco_rows(path: Path | None = None) -> CustomerRows:
    """A file of customers as Telco's schema has them; the bundled one by default."""
    return open_rows(path, TELCO)


def customer(**changes: Any) -> dict[str, Any]:
    """A valid event as a plain dict, with `changes` made to it."""
    valid = {
        "customerID": "7590-VHVEG",
        "gender": "Female",
        "SeniorCitizen": 0,
        "Partner": "Yes",
        "Dependents": "No",
        "tenure": 1,
        "PhoneService": "No",
        "MultipleLines": "No phone service",
        "InternetService": "DSL",
        "OnlineSecurity": "No",
        "OnlineBackup": "Yes",
        "DeviceProtection": "No",
        "TechSupport": "No",
        "StreamingTV": "No",
        "StreamingMovies": "No",
        "Contract": "Month-to-month",
        "PaperlessBilling": "Yes",
        "PaymentMethod": "Electronic check",
        "MonthlyCharges": 29.85,
        "TotalCharges": 29.85,
        "event_ts": "2026-01-02T03:04:05Z",
    }
    return {**valid, **changes}


def event_json(**changes: Any) -> bytes:
    """A valid event as the bytes of a record's value, with `changes` made to it."""
    return json.dumps(customer(**changes)).encode()


def without(field: str) -> bytes:
    """A valid event that lacks `field`, as the bytes of a record's value."""
    event = customer()
    del event[field]
    return json.dumps(event).encode()


def message(
    value: bytes | None = None,
    *,
    key: bytes | None = b"7590-VHVEG",
    topic: str = "telco.raw.customers",
    partition: int = 0,
    offset: int = 0,
    headers: list[tuple[str, str | bytes | None]] | None = None,
    timestamp: tuple[int, int] = (TIMESTAMP_CREATE_TIME, 1_767_323_045_000),
) -> Message:
    """A record as a consumer hands it over."""
    return Message(
        topic=topic,
        partition=partition,
        offset=offset,
        key=key,
        value=value,
        headers=headers,
        timestamp=timestamp,
    )


def event_message(partition: int = 0, offset: int = 0, **changes: Any) -> Message:
    """A record that holds a valid event, with `changes` made to it."""
    event = customer(**changes)
    key = event["customerID"].encode()
    return message(json.dumps(event).encode(), key=key, partition=partition, offset=offset)


def write_csv(path: Path, count: int, **changes: Any) -> Path:
    """Write a file of `count` customers, told apart by their customerID: C0, C1, …."""
    rows = [customer(customerID=f"C{number}", **changes) for number in range(count)]
    columns = [name for name in customer(**changes) if name != "event_ts"]
    lines = [",".join(columns), *(",".join(str(row[name]) for name in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path

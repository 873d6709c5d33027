"""Small builders of test data: one valid customer event, and that event with something changed."""

import json
from typing import Any


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

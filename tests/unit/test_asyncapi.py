"""The AsyncAPI document is valid AsyncAPI, and says what churnstream does."""

import gzip
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from msgspec.json import encode

from builders import CustomerEvent, Prediction, customer, decode_event, message
from churnstream.pipeline.dead_letter_headers import (
    dead_letter_record,
    describe_rejection,
    failure_headers,
)
from churnstream.records.notification import Notification
from churnstream.records.rejection import Rejection

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "schemas" / "asyncapi.yaml").read_text())
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LETTER = describe_rejection(
    message(b"x"),
    Rejection("not_json", "value", "is not JSON"),
    group="group",
    model_version="v1",
    now=NOW,
)


@pytest.fixture(scope="module")
def official() -> jsonschema_rs.Validator:
    """The schema that AsyncAPI's makers publish, as they published it."""
    content = gzip.decompress((DATA / "asyncapi-3.0.0.json.gz").read_bytes())
    assert hashlib.sha256(content).hexdigest() in (DATA / "README.md").read_text()
    return jsonschema_rs.validator_for(json.loads(content))


def problems(part: str, value: object) -> list[str]:
    """Where a value and a schema of the document differ."""
    schema = DOCUMENT | {"$ref": f"#/components/schemas/{part}"}
    validator = jsonschema_rs.Draft7Validator(schema, validate_formats=True)
    return [error.message for error in validator.iter_errors(value)]


def test_the_document_is_valid(official: jsonschema_rs.Validator) -> None:
    """The official schema has nothing to say against it."""
    assert [error.message for error in official.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"asyncapi": "2.6.0"},
        {"no_such_part": {}},
        {"channels": {"customers": {"address": 1}}},
        {"operations": {"consume": {"action": "subscribe"}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_invalid_document_is_noticed(
    official: jsonschema_rs.Validator, change: dict[str, Any]
) -> None:
    """The test above would fail."""
    assert not official.is_valid(DOCUMENT | change)


def test_references_lead_somewhere() -> None:
    """Every `$ref` names a part of the document, which the official schema does not check."""
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        part = DOCUMENT
        for name in reference.split("/"):
            part = part[name]


def test_the_channels_are_the_topics_and_the_webhook() -> None:
    """Under the names that they have by default; who asks a webhook says where it goes."""
    assert [channel["address"] for channel in DOCUMENT["channels"].values()] == [
        "telco.raw.customers",
        "telco.churn.predictions",
        "telco.churn.newest",
        "telco.deadletter",
        None,
    ]


def test_records_conform() -> None:
    """An event and a prediction as churnstream writes them are what the document says."""
    row = customer()
    event = decode_event(json.dumps(row).encode(), row["customerID"].encode())
    assert isinstance(event, CustomerEvent)
    prediction = Prediction("C1", 0.25, "No", NOW, NOW, "v1", 2, 17)

    assert problems("CustomerEvent", json.loads(encode(event))) == []
    assert problems("Prediction", json.loads(encode(prediction))) == []
    assert problems("Prediction", {"customerID": "C1"}) != []


def test_a_webhook_conforms() -> None:
    """Its body is what the document says."""
    sent = Notification("C1", 0.75, "Yes", ["in words"], NOW, NOW, "v1", "telco:0:1:2")

    assert problems("Notification", json.loads(encode(sent))) == []
    assert problems("Notification", {"id": "C1"}) != []


def test_headers_of_a_dead_letter_conform() -> None:
    """On the wire they have the names, and the text, that the document says."""
    headers = {name: (value or b"").decode() for name, value in failure_headers(LETTER)}

    assert problems("DeadLetterHeaders", headers) == []
    for name in headers:
        assert problems("DeadLetterHeaders", {**headers, name: None}) != []


def test_every_header_is_documented() -> None:
    """Also those of a record that was too large to be kept whole."""
    record = message(b"x" * 100, headers=[("own", b"y" * 100)])
    sent = dict(dead_letter_record(record, LETTER, max_bytes=1)["headers"])

    schema = DOCUMENT["components"]["schemas"]["DeadLetterHeaders"]
    assert set(sent) == set(schema["properties"])

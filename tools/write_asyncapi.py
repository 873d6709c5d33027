"""Writes schemas/asyncapi.yaml, topics and webhook as AsyncAPI 3, from records and topics.

A test checks that it is up to date, and against the schema of AsyncAPI itself.
"""

from importlib.metadata import version
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec
import yaml
from write_schemas import ABOUT, TELCO

from churnstream.codecs.json_schema import schema_components
from churnstream.connection_settings import KafkaSettings
from churnstream.pipeline import topic_layout
from churnstream.pipeline.dead_letter_headers import (
    HEADER_NAMES,
    HEADERS_OMITTED,
    KEY_OMITTED,
    VALUE_OMITTED,
)
from churnstream.records.notification import Notification
from churnstream.settings import ConsumerSettings, Settings

FILE = Path(__file__).parents[1] / "schemas" / "asyncapi.yaml"
_BINDING = {"bindingVersion": "0.5.0"}
_NOTE = "# Written by `make generated` from the record types and the topics. Do not edit by hand.\n"
_DIGITS = {"type": "string", "pattern": "^-?[0-9]+$"}
_NEWEST = "telco.churn.newest"  # no default of the settings: not everybody has this topic
_MESSAGES = {
    "customers": "CustomerEvent",
    "predictions": "Prediction",
    "newestPredictions": "Prediction",
    "deadLetters": "DeadLetter",
}
_WEBHOOK: dict[str, Any] = {
    "address": None,
    "description": "The address that notify.url says, over HTTP and not through Kafka; "
    "docs/webhooks.md says what its answers mean.",
    "messages": {"Notification": {"$ref": "#/components/messages/Notification"}},
}
_OPERATIONS = {
    "produce": ("send", "customers", "Rows of customers become events."),
    "consume": ("receive", "customers", "Events are scored, or rejected."),
    "predict": ("send", "predictions", "In one transaction with the group's offset."),
    "keep": (
        "send",
        "newestPredictions",
        "Only where the settings name such a topic: each prediction once more, in its transaction.",
    ),
    "reject": ("send", "deadLetters", "In the same transaction as the predictions of the batch."),
    "replay": ("receive", "deadLetters", "Rejected records are sent back to customers, each once."),
    "notify": ("send", "webhook", "A customer became likely to leave; at least once."),
}


class _Dumper(yaml.SafeDumper):
    """YAML to be read: what occurs twice stands there twice, and lines stay lines."""

    def ignore_aliases(self, data: object) -> bool:
        """No anchors."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def files() -> dict[Path, str]:
    """What the document should hold."""
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 100}
    return {FILE: _NOTE + yaml.dump(document(), Dumper=_Dumper, **options)}


def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "churnstream",
            "version": version("churnstream"),
            "description": "Scores customers for churn as their events pass through Kafka. Readers "
            "of predictions and dead letters should set isolation.level=read_committed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"default": {"host": KafkaSettings().brokers, "protocol": "kafka"}},
        "channels": _channels(),
        "operations": {name: _operation(*parts) for name, parts in _OPERATIONS.items()},
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _channels() -> dict[str, Any]:
    settings = Settings.model_construct()
    topics = settings.topics.model_copy(update={"newest": _NEWEST})
    specs = topic_layout.topic_specs(settings.model_copy(update={"topics": topics}))
    channels = {
        name: {
            "address": spec.name,
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            "bindings": {"kafka": _topic(spec)},
        }
        for (name, message), spec in zip(_MESSAGES.items(), specs, strict=False)
    }
    return channels | {"webhook": _WEBHOOK}


def _topic(spec: Any) -> dict[str, Any]:  # noqa: ANN401  # a TopicSpec, which only streaming names
    binding = {"partitions": spec.partitions, "replicas": spec.replication_factor}
    settings = {
        name: value.split(",") if name == "cleanup.policy" else int(value)
        for name, value in spec.config.items()
    }
    return binding | ({"topicConfiguration": settings} if settings else {}) | _BINDING


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
    }
    if channel == "webhook":
        operation["bindings"] = {"http": {"method": "POST", "bindingVersion": "0.3.0"}}
    if (action, channel) == ("receive", "customers"):
        group = {"type": "string", "default": ConsumerSettings().group}
        operation["bindings"] = {"kafka": {"groupId": group} | _BINDING}
    return operation


def _messages() -> dict[str, Any]:
    key = {"type": "string", "minLength": 1, "description": f"the event's {TELCO.id}"}
    binding = {"kafka": {"key": key} | _BINDING}
    records: dict[str, dict[str, Any]] = {
        name: {"payload": {"$ref": f"#/components/schemas/{name}"}, "bindings": binding}
        for name in ("CustomerEvent", "Prediction")
    }
    letter: dict[str, Any] = {
        "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
        "contentType": "application/octet-stream",
        "payload": {
            "description": "The rejected record, byte for byte, as is its key. It may be no JSON, "
            "or have no value at all. Headers of its own stand beside those here."
        },
    }
    records |= {"DeadLetter": letter, "Notification": _notification()}
    return {name: {"name": name} | parts for name, parts in records.items()}


def _notification() -> dict[str, Any]:
    """A webhook: its body, and its headers as docs/webhooks.md has them."""
    headers = {
        "Idempotency-Key": "the notification_id: the same each time that this one is sent",
        "Churnstream-Signature": "t=SECONDS,v1=HEX: the HMAC-SHA256, with notify.secret, of the "
        "seconds since 1970, a dot and the body; only with a secret",
    }
    return {
        "headers": {
            "type": "object",
            "properties": {n: {"type": "string", "description": d} for n, d in headers.items()},
            "required": ["Idempotency-Key"],
        },
        "payload": {"$ref": "#/components/schemas/Notification"},
    }


def _schemas() -> dict[str, Any]:
    template = "#/components/schemas/{name}"
    found = schema_components(TELCO, template, ABOUT)
    _, own = msgspec.json.schema_components([Notification], ref_template=template)
    found |= own
    for schema in found.values():
        schema["description"] = cleandoc(schema["description"])
    return found | {"DeadLetterHeaders": _headers(found.pop("DeadLetter"))}


def _headers(record: dict[str, Any]) -> dict[str, Any]:
    """The headers of a dead letter: fields under their names on the wire, numbers as text."""
    properties = {
        HEADER_NAMES[field]: _DIGITS if schema.get("type") == "integer" else schema
        for field, schema in record["properties"].items()
    }
    omitted = {
        VALUE_OMITTED: _DIGITS | {"description": "bytes of a value too large for this topic"},
        KEY_OMITTED: _DIGITS | {"description": "bytes of a key too large for this topic"},
        HEADERS_OMITTED: {
            "type": "string",
            "pattern": "^([0-9]+|unreadable)$",
            "description": "how many own headers were too large for it, or that they are no text",
        },
    }
    return {
        "title": "DeadLetterHeaders",
        "description": record["description"],
        "type": "object",
        "properties": properties | omitted,
        "required": [HEADER_NAMES[field] for field in record["required"]],
    }


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)

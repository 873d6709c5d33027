"""Writes the schema of the Helm chart's values, from values.yaml and from the settings.

What may stand in `config` is every setting, except those that the chart sets itself and those that
are secret. A test checks that the file is up to date.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from churnstream.settings import Settings

CHART = Path(__file__).parents[1] / "deploy" / "helm" / "churnstream"

Shape = dict[str, Any]

SECRETS = (
    "dashboard.token",
    "kafka.client",
    "notify.secret",
    "notify.url",
    "schema_registry.password",
    "schema_registry.token",
    "schema_registry.url",
    "schema_registry.user",
)
"""Settings that can come from a Secret; no others should need to."""

_NOT_IN_CONFIG = {
    # Only a pod knows them, or they would end it.
    "consumer": {"mode", "instance", "max_messages", "start", "end"},
    "customers": {"schema_file"},
    "dashboard": {"host", "port", "token", "scrape"},
    "metrics": {"port", "host"},
    # Nobody here sends events or writes summaries.
    "producer": None,
    "summary": None,
    # Secret; and a user without a password, which only some pods get, is a fault.
    "notify": {"url", "secret"},
    "schema_registry": {"user", "password", "token"},
}
_SECRET_VARIABLE = "PASSWORD|SECRET|TOKEN"  # noqa: S105  # a pattern
_NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
_PULL = {"enum": ["Always", "IfNotPresent", "Never"]}
_COUNT = {"type": "integer", "minimum": 1}
_PORTS = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}}


def files() -> dict[Path, str]:
    """What the generated file should hold."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **_shape(values, "")}
    schema["properties"]["global"] = {"type": "object"}  # Helm's own, where this is part of a chart
    return {CHART / "values.schema.json": json.dumps(schema, indent=1) + "\n"}


def _shape(value: object, path: str) -> Shape:
    """What may stand where this default does; a group that is empty by default takes any names."""
    if path in _SPECIAL:
        return _SPECIAL[path]
    if isinstance(value, dict):
        parts = {name: _shape(its, f"{path}.{name}".lstrip(".")) for name, its in value.items()}
        return _closed(parts) if parts else {"type": "object"}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, list):
        return {"type": "array"}
    return {"type": "integer" if isinstance(value, int) else "string"}


def _closed(properties: Shape, **more: Any) -> Shape:  # noqa: ANN401  # keywords of JSON Schema
    return {"type": "object", "additionalProperties": False, "properties": properties} | more


def _config() -> Shape:
    """Sections of settings as churnstream checks them."""
    schema = Settings.model_json_schema()
    sections = {}
    for section, reference in schema["properties"].items():
        its = schema["$defs"][reference["$ref"].rpartition("/")[2]]
        left_out = _NOT_IN_CONFIG.get(section, set())
        if left_out is not None:
            kept = {n: _bare(p) for n, p in its["properties"].items() if n not in left_out}
            sections[section] = _closed(kept)
    return _closed({name: its for name, its in sections.items() if its["properties"]})


def _bare(schema: Any) -> Any:  # noqa: ANN401  # any part of a JSON Schema
    """Without what checks nothing, and without formats: only some releases of Helm check them."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    said = {"title", "default", "format"}
    return {name: _bare(part) for name, part in schema.items() if name not in said}


_SPECIAL: dict[str, Shape] = {
    "config": _config(),
    "secrets": _closed(
        {
            setting: _closed(
                {"name": {"type": "string", "minLength": 1}, "key": {"type": "string"}},
                required=["name", "key"],
            )
            for setting in SECRETS
        }
    ),
    "secretFiles": {"type": "array", "items": _NAME},
    "extraEnv": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "if": {"properties": {"name": {"pattern": _SECRET_VARIABLE}}},
            "then": {"required": ["valueFrom"]},
        },
    },
    "image.pullPolicy": _PULL,
    "models.image.pullPolicy": _PULL,
    "models.from": {"enum": ["claim", "image", "mlflow"]},
    "consumer.replicas": _COUNT,
    "consumer.scaling.minReplicas": _COUNT,
    "consumer.scaling.maxReplicas": _COUNT,
    "consumer.scaling.lagPerReplica": _COUNT,
    "networkPolicy.brokerPorts": _PORTS,
    **{f"{part}.resources": {"type": "object"} for part in ("consumer", "topics", "train")},
    **{f"{part}.resources": {"type": "object"} for part in ("audit", "dashboard")},
}


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)

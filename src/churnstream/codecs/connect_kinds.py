"""Types of Kafka Connect and Debezium that say more of a value than JSON does.

The names are those that their schemas use; see Debezium's page on data types.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from churnstream.codecs.source_records import Path

DECIMAL = "org.apache.kafka.connect.data.Decimal:"
"""Begins the type of an unscaled number in bytes, high ones first; the scale follows."""
DAYS = ("io.debezium.time.Date", "org.apache.kafka.connect.data.Date")
"""Days since 1970."""
MILLIS, MICROS, NANOS = (f"io.debezium.time.{part}Timestamp" for part in ("", "Micro", "Nano"))
PARTS_OF_A_SECOND: Mapping[str, int] = {
    MILLIS: 10**3,
    "org.apache.kafka.connect.data.Timestamp": 10**3,
    MICROS: 10**6,
    NANOS: 10**9,
}
"""By type of a timestamp since 1970, how many of its units are a second."""


@lru_cache(maxsize=64)
def connect_kinds(schema: bytes | None) -> Mapping[Path, str]:
    """By path the type of each value that a Connect schema has more to say of.

    Args:
        schema: As JSON, as Connect's JSON converter puts it beside the value.
    """
    if schema is None:
        return {}
    try:
        found = msgspec.json.decode(schema, type=_ConnectField)
        return dict(_kinds(found, ()))
    except (msgspec.DecodeError, RecursionError):
        return {}


def _kinds(found: "_ConnectField", path: Path) -> Iterator[tuple[Path, str]]:
    for field in found.fields:
        if field.field is not None:
            inner = (*path, field.field)
            if field.name:
                yield inner, field.name + _scale(field)
            yield from _kinds(field, inner)


def _scale(field: "_ConnectField") -> str:
    return f":{field.parameters['scale']}" if "scale" in field.parameters else ""


class _ConnectField(msgspec.Struct):
    """A type of a Connect schema, and the fields in it."""

    field: str | None = None
    name: str | None = None
    fields: "list[_ConnectField]" = []
    parameters: dict[str, str] = {}

"""What in a record's key must be the customer's id."""

from typing import Any

import msgspec

from churnstream.codecs.source_records import Path
from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.event_source import ID_AS_KEY, EventSource
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain

_OBJECT = b"{"
_PAYLOAD = "payload"  # of Connect, beside the key's schema


class KeyReader:
    """Finds the id in keys, as a schema's `source` says; not where it says that any key will do.

    A key that must be the id may also be an object that holds the id under its name, as Debezium
    writes the primary key, with and without a schema beside it.

    Attributes:
        paths: Of the id in a key that is an object, the usual first.
        may_be_text: Whether a key may be the id itself.
    """

    def __init__(self, schema: Schema, source: EventSource) -> None:
        name = schema.source_paths[schema.id][-1]
        is_id = source.key == ID_AS_KEY
        own: tuple[Path, ...] = ((name,), (_PAYLOAD, name))
        self.paths = own if is_id else (tuple(source.key.split(".")),)
        self.may_be_text = is_id

    def __call__(self, key: bytes | None) -> bytes | None:
        """What must be the id; a key in which it is not found is what it is."""
        if key is None or (self.may_be_text and key[:1] != _OBJECT):
            return key
        try:
            found = msgspec.json.decode(key)
        except UNDECODABLE:
            return key
        for path in self.paths:
            if (own := plain(_at(found, path))) is not None:
                return own.encode("utf-8", "surrogatepass")
        return key


def _at(found: Any, path: Path) -> Any:  # noqa: ANN401  # as JSON has it
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found

"""Records in the framing of a schema registry, opened by the schemas they were written with."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec

from churnstream.codecs.avro_batches import AvroBatches
from churnstream.codecs.avro_values import avro_schema
from churnstream.codecs.opened_json import UnusableJsonError, json_of
from churnstream.codecs.protobuf_values import protobuf_reader
from churnstream.codecs.registry_framing import (
    HEADER,
    WriterSchema,
    framed,
    payload_of,
    schema_id_of,
)
from churnstream.codecs.source_records import Arrived, Parsed, Path, Unreadable
from churnstream.deadline import Deadline
from churnstream.errors import SchemasUnavailableError
from churnstream.records.rejection import Rejection
from churnstream.schema.event_source import ANY_KEY, EventSource, Format

Lookup = Callable[[int], WriterSchema | None]
"""Takes the id of a schema; None if the registry has none of it."""

_KINDS = {"avro": "AVRO", "protobuf": "PROTOBUF"}


_MAX_ABSENT = 10_000  # ids that anybody may have made up
_ASK_AGAIN = 60.0  # seconds after which a schema that was absent may be there


class _Opener(NamedTuple):
    """Reads the values of one schema, or says why none can be read."""

    read: Callable[[bytes], Any]
    kinds: Mapping[Path, str] = {}
    bare: tuple[Any, ...] | None = None


class RegistryValues:
    """Opens values and keys of records.

    Args:
        source: Whose format is not `json`.
        lookup: Asked once for every id.

    Attributes:
        at_once: Finds events in many records at once.
    """

    def __init__(self, source: EventSource, lookup: Lookup) -> None:
        self._format, self._lookup = source.format, lookup
        self._key_matters = source.key != ANY_KEY
        self._openers: dict[bytes, _Opener] = {}  # by the head of the records
        self._absent: dict[int, Deadline] = {}
        self.at_once = AvroBatches(self._bare)

    def _bare(self, head: bytes) -> tuple[Any, ...] | None:
        opener = self._openers.get(head)
        return opener and opener.bare

    def unknown(self, parts: Iterable[bytes | None]) -> set[int]:
        """The ids of schemas of values and keys that have yet to be looked up."""
        if self._format == "json-schema":
            return set()
        return {i for i in map(schema_id_of, parts) if i is not None and not self._knows(i)}

    def _knows(self, schema_id: int) -> bool:
        absent = self._absent.get(schema_id)
        is_known = framed(schema_id, b"") in self._openers
        return is_known or bool(absent and not absent.passed)

    def learn(self, schema_id: int) -> None:
        """Look a schema up; what is known of it stays.

        Raises:
            SchemasUnavailableError: The registry cannot be asked now.
        """
        found = self._lookup(schema_id)
        if found is not None:
            self._absent.pop(schema_id, None)
            self._openers[framed(schema_id, b"")] = _opener(found, self._format)
            return
        if len(self._absent) >= _MAX_ABSENT:
            self._absent.pop(next(iter(self._absent)))
        self._absent[schema_id] = Deadline(_ASK_AGAIN)

    def __call__(self, record: Arrived) -> Arrived | Rejection:
        """A record with what its value holds, or why that cannot be read.

        Raises:
            SchemasUnavailableError: A schema is not known yet, and the registry cannot be asked.
        """
        if not record.value:
            return record
        if schema_id_of(record.value) is None:
            return _not_framed(record.value, self._format)
        if self._format == "json-schema":  # each record says all by itself
            return record._replace(value=payload_of(record.value), key=_json_key(record.key))
        try:
            key = self._key(record.key) if self._key_matters else record.key
        except Unreadable as error:
            return Rejection("malformed", "key", str(error))
        try:
            parsed = self._parsed(record.value)
        except Unreadable as error:
            return Rejection("malformed", "value", str(error))
        return Arrived(record.value, key, record.timestamp, record.headers, parsed)

    def shown(self, part: bytes | None) -> bytes | None:
        """A value or key as JSON for people to read; as it is where that cannot be had now."""
        if part is None or schema_id_of(part) is None:
            return part
        if self._format == "json-schema":
            return payload_of(part)
        with suppress(Unreadable, UnusableJsonError, SchemasUnavailableError):
            return json_of(self.content(part))
        return part

    def content(self, part: bytes) -> Any:  # noqa: ANN401  # as JSON has it
        """What a framed value or key holds.

        Raises:
            Unreadable: It is none of its schema.
            SchemasUnavailableError: The schema is not known yet, and the registry cannot be asked.
        """
        return self._parsed(part).content

    def _key(self, key: bytes | None) -> bytes | None:
        """The text of a framed key, or its JSON; any other as it is."""
        if key is None or schema_id_of(key) is None:
            return key
        content = self._parsed(key).content
        if isinstance(content, str | int):
            return str(content).encode("utf-8", "surrogatepass")
        return msgspec.json.encode(content)

    def _parsed(self, record: bytes) -> Parsed:
        opener = self._openers.get(record[:HEADER]) or self._looked_up(record)
        try:
            return Parsed(opener.read(record[HEADER:]), opener.kinds)
        except Unreadable as error:
            schema_id = schema_id_of(record)
            raise Unreadable(f"cannot be read by its schema {schema_id}: {error}") from error

    def _looked_up(self, record: bytes) -> "_Opener":
        schema_id = schema_id_of(record)
        assert schema_id is not None  # noqa: S101  # for the type checker
        if not self._knows(schema_id):
            self.learn(schema_id)
        opener = self._openers.get(record[:HEADER])
        if opener is None:
            raise Unreadable(f"is of schema {schema_id}, which is not in the registry")
        return opener


def _json_key(key: bytes | None) -> bytes | None:
    """A framed key without its frame, the text itself where it is one; any other as it is."""
    if key is None or schema_id_of(key) is None:
        return key
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(payload_of(key), type=str).encode("utf-8", "surrogatepass")
    return payload_of(key)


def _opener(schema: WriterSchema, wanted: Format) -> _Opener:
    """What reads values of a schema; where none can be read, it says why of each."""
    try:
        if schema.kind != _KINDS[wanted]:
            raise Unreadable(f"it is {schema.kind}, and `source: format` says {wanted}")
        if wanted == "avro":
            return _Opener(*avro_schema(schema))
        return _Opener(protobuf_reader(schema))
    except Unreadable as error:
        return _Opener(partial(_never, f"it {error}"))


def _never(why: str, _: bytes) -> Any:  # noqa: ANN401
    raise Unreadable(why)


def _not_framed(value: bytes, wanted: Format) -> Rejection:
    looks = "; it looks like plain JSON" if value.lstrip()[:1] in b"{[" else ""
    detail = f"does not begin as `source: format: {wanted}` says, with 0 and a schema's id{looks}"
    return Rejection("malformed", "value", detail)

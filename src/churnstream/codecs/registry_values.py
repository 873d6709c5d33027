"""Records in the framing of a schema registry, opened by the schemas they were written with."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from churnstream.codecs.avro_values import avro_schema
from churnstream.codecs.opened_json import UnusableJsonError, json_of
from churnstream.codecs.protobuf_values import protobuf_reader
from churnstream.codecs.readable_values import readable
from churnstream.codecs.registry_framing import (
    HEADER,
    IN_HEADERS,
    WriterSchema,
    framed,
    is_named_in_headers,
    payload_of,
    schema_id_of,
)
from churnstream.codecs.source_records import Arrived, Parsed, Path, Unreadable
from churnstream.deadline import Deadline
from churnstream.errors import SchemasUnavailableError
from churnstream.records.rejection import UNDECODABLE, Rejection
from churnstream.schema.event_source import ANY_KEY, EventSource, Format

if TYPE_CHECKING:
    from churnstream.codecs.avro_batches import AvroBatches

Lookup = Callable[[int], WriterSchema | None]
"""Takes the id of a schema; None if the registry has none of it."""

_KINDS = {"avro": "AVRO", "protobuf": "PROTOBUF"}


SCHEMA_IN_HEADERS = Rejection(
    "malformed",
    "value",
    f"names its schema by a GUID in the header {IN_HEADERS}, which is not read; let its producer "
    "write the id before the value (schema.id.serializer)",
)
"""Why a bare value of Avro or Protobuf is rejected."""
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
        source: Whose format is not `json`; None for values of any format.
        lookup: Asked once for every id.
    """

    def __init__(self, source: EventSource | None, lookup: Lookup) -> None:
        self._format, self._lookup = source.format if source else None, lookup
        self._key_matters = source is not None and source.key != ANY_KEY
        self._openers: dict[bytes, _Opener] = {}  # by the head of the records
        self._absent: dict[int, Deadline] = {}

    @cached_property
    def at_once(self) -> "AvroBatches":
        """Finds events in many records at once."""
        from churnstream.codecs.avro_batches import AvroBatches

        return AvroBatches(self._bare)

    def _bare(self, head: bytes) -> tuple[Any, ...] | None:
        opener = self._openers.get(head)
        return opener and opener.bare

    @property
    def is_json(self) -> bool:
        """Whether what is framed is JSON, which says all by itself."""
        return self._format == "json-schema"

    def unknown(self, parts: Iterable[bytes | None]) -> set[int]:
        """The ids of schemas of values and keys that have yet to be looked up."""
        if self.is_json:
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
        headers, value = record.headers, record.value
        if headers and value and is_named_in_headers(headers):
            return record if self.is_json else SCHEMA_IN_HEADERS
        if not value:
            return record
        if schema_id_of(value) is None:
            return _not_framed(value, self._format)
        if self.is_json:  # each record says all by itself
            return record._replace(value=payload_of(value), key=_json_key(record.key))
        return self._opened(record, value)

    def _opened(self, record: Arrived, value: bytes) -> Arrived | Rejection:
        try:
            key = self._key(record.key) if self._key_matters else record.key
        except Unreadable as error:
            return Rejection("malformed", "key", str(error))
        try:
            return record._replace(key=key, parsed=self._parsed(value))
        except Unreadable as error:
            return Rejection("malformed", "value", str(error))

    def shown(self, part: bytes | None) -> bytes | None:
        """A value or key as JSON for people to read; as it is where that cannot be had now."""
        with suppress(SchemasUnavailableError):
            return self.as_json(part)
        return part

    def as_json(self, part: bytes | None) -> bytes | None:
        """A framed value or key as JSON, times and days as text; any other as it is.

        Raises:
            SchemasUnavailableError: The schema is not known yet, and the registry cannot be asked.
        """
        if part is None or schema_id_of(part) is None:
            return part
        if self.is_json:
            return payload_of(part)
        with suppress(Unreadable, UnusableJsonError):
            return json_of(readable(self._parsed(part)))
        return part

    def parsed(self, part: bytes) -> Parsed:
        """What a framed value or key holds, of Avro and Protobuf.

        Raises:
            Unreadable: It is none of its schema.
            SchemasUnavailableError: The schema is not known yet, and the registry cannot be asked.
        """
        return self._parsed(part)

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


def _opener(schema: WriterSchema, wanted: Format | None) -> _Opener:
    """What reads values of a schema; where none can be read, it says why of each."""
    try:
        if wanted and schema.kind != _KINDS[wanted]:
            raise Unreadable(f"it is {schema.kind}, and `source: format` says {wanted}")
        if schema.kind == "AVRO":
            return _Opener(*avro_schema(schema))
        return _Opener(protobuf_reader(schema) if schema.kind == "PROTOBUF" else _from_json)
    except Unreadable as error:
        return _Opener(partial(_never, f"it {error}"))


def _from_json(payload: bytes) -> Any:  # noqa: ANN401
    try:
        return msgspec.json.decode(payload)
    except UNDECODABLE as error:
        raise Unreadable(f"is no JSON: {error}") from error


def _never(why: str, _: bytes) -> Any:  # noqa: ANN401
    raise Unreadable(why)


def _not_framed(value: bytes, wanted: Format | None) -> Rejection:
    looks = "; it looks like plain JSON" if value.lstrip()[:1] in b"{[" else ""
    detail = f"does not begin as `source: format: {wanted}` says, with 0 and a schema's id{looks}"
    return Rejection("malformed", "value", detail)

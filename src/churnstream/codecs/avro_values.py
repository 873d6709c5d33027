"""Avro values, as JSON has them, by the schema that they were written with.

fastavro reads them. It trusts schemas and data: it takes the process down where a value lies in
itself some thousand times, and never ends a list of nothing; schemas that allow for that are not
read. Logical types are left to `churnstream.codecs.source_values`, which bounds them. One is ours,
for numbers of four bytes: they are what they are as text, so that a row says the same in any form.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from churnstream.codecs.connect_kinds import DAYS, DECIMAL, MICROS, MILLIS, NANOS
from churnstream.codecs.registry_framing import WriterSchema
from churnstream.codecs.source_records import Path, Unreadable
from churnstream.codecs.source_values import shortest

_LOGICAL = {
    "date": DAYS[0],
    "timestamp-millis": MILLIS,
    "timestamp-micros": MICROS,
    "timestamp-nanos": NANOS,
    "local-timestamp-millis": MILLIS,
    "local-timestamp-micros": MICROS,
    "local-timestamp-nanos": NANOS,
}
_SHORTEST = "churnstream-shortest"
_MAX_TYPES = 10_000  # in a schema, with those that it names again counted again
_MAX_DEPTH = 100
# What fastavro raises for bytes that are none of the schema.
_MALFORMED = (ValueError, OverflowError, MemoryError, KeyError, TypeError)
_NO_SCHEMA = (ValueError, TypeError, KeyError, AttributeError, RecursionError)

Reader = Callable[[bytes], Any]


class AvroSchema(NamedTuple):
    """What is to be known of a schema to read its values.

    Attributes:
        read: Takes a value's bytes; raises `Unreadable` if they are none of this schema.
        kinds: By path the type in a Connect schema, of what JSON has no word for.
        bare: The schema without logical types, the types that it refers to, and the kinds; what
            `churnstream.codecs.avro_cutter` takes.
    """

    read: Reader
    kinds: Mapping[Path, str]
    bare: tuple[Any, Mapping[str, Any], Mapping[Path, str]]


def avro_schema(schema: WriterSchema) -> AvroSchema:
    """What reads values of a schema.

    Raises:
        Unreadable: It is no schema, or one that is not read.
    """
    from fastavro import parse_schema
    from fastavro.schema import SchemaParseException

    texts = [*schema.references.values(), schema.text]
    try:
        raw = [msgspec.json.decode(text) for text in texts]
        names: dict[str, Any] = {}
        whole = [parse_schema(one, names) for one in raw][-1]
        types = _Types(names)
        types.look_at(whole, ())
        bare_names: dict[str, Any] = {}
        bare = [parse_schema(_bare(one), bare_names) for one in raw][-1]
    except (SchemaParseException, *_NO_SCHEMA) as error:
        raise Unreadable(f"is no Avro schema: {error}") from error
    return AvroSchema(_reader(bare, bare_names), types.kinds, (bare, bare_names, types.kinds))


def avro_schema_of(schema: WriterSchema) -> Any:  # noqa: ANN401  # as fastavro has it
    """A schema of ours, to write by."""
    from fastavro import parse_schema

    return parse_schema(msgspec.json.decode(schema.text))


def _reader(schema: Any, names: dict[str, Any]) -> Reader:  # noqa: ANN401  # as JSON has it
    from fastavro import schemaless_reader
    from fastavro.read import LOGICAL_READERS

    LOGICAL_READERS[f"float-{_SHORTEST}"] = lambda number, *_: shortest(number)
    if isinstance(schema, dict):
        schema = {**schema, "__named_schemas": names}

    def read(payload: bytes) -> Any:  # noqa: ANN401
        stream = io.BytesIO(payload)
        try:
            found = schemaless_reader(stream, schema, None)
        except (EOFError, IndexError) as error:
            why = "it ends early, or names a branch or symbol that its schema does not have"
            raise Unreadable(why) from error
        except _MALFORMED as error:
            raise Unreadable(str(error)) from error
        if stream.tell() != len(payload):
            raise Unreadable(f"{len(payload) - stream.tell()} bytes are left behind it")
        return found

    return read


def _bare(schema: Any) -> Any:  # noqa: ANN401
    """A schema without logical types but ours: what is stored counts."""
    if schema == "float":
        return {"type": "float", "logicalType": _SHORTEST}
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key != "logicalType"}
    if kept.get("type") == "float":
        return kept | {"logicalType": _SHORTEST}
    for key in ("type", "items", "values"):
        if key in kept:
            kept[key] = _bare(kept[key])
    if isinstance(fields := kept.get("fields"), list):
        kept["fields"] = [{**field, "type": _bare(field["type"])} for field in fields]
    return kept


class _Types:
    """Walks through the types of a parsed schema.

    Attributes:
        kinds: By path the type in a Connect schema.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.kinds: dict[Path, str] = {}
        self._names, self._within, self._count = names, [""], 0

    def look_at(self, schema: Any, path: Path) -> None:  # noqa: ANN401
        """Note the kinds of what a type holds.

        Raises:
            Unreadable: A value of it may be endless.
        """
        self._count += 1
        if self._count > _MAX_TYPES or len(path) > _MAX_DEPTH:
            raise Unreadable(f"has over {_MAX_TYPES:,} types, or over {_MAX_DEPTH} within another")
        if isinstance(schema, str):
            if schema in self._names:
                self._look_at_named(self._names[schema], path)
        elif isinstance(schema, list):
            for one in schema:
                self.look_at(one, path)
        elif schema["type"] in ("record", "error"):
            self._look_at_named(schema, path)
        else:
            self._look_at_plain(schema, path)

    def _look_at_named(self, schema: Any, path: Path) -> None:  # noqa: ANN401
        if schema["name"] in self._within:
            raise Unreadable(f"has the type {schema['name']} within itself, which is not read")
        self._note(schema, path)
        self._within.append(schema["name"])
        for field in schema.get("fields", ()):
            self._note(field, inner := (*path, field["name"]))
            self.look_at(field["type"], inner)
        self._within.pop()

    def _look_at_plain(self, schema: Any, path: Path) -> None:  # noqa: ANN401
        self._note(schema, path)
        for inner in ("items", "values"):
            if inner in schema:
                self.look_at(schema[inner], (*path, inner))
                if inner == "items" and self._is_nothing(schema[inner]):
                    raise Unreadable("has a list of nothing, which may be endless")
        if isinstance(schema["type"], dict | list):
            self.look_at(schema["type"], path)

    def _note(self, schema: Any, path: Path) -> None:  # noqa: ANN401
        kind = schema.get("connect.name") or _LOGICAL.get(schema.get("logicalType"))
        if schema.get("logicalType") == "decimal":
            kind = f"{DECIMAL}{schema.get('scale', 0)}"
        if isinstance(kind, str):
            self.kinds[path] = kind

    def _is_nothing(self, schema: Any) -> bool:  # noqa: ANN401
        """Whether a value takes no bytes at all."""
        if isinstance(schema, str):
            return schema == "null" or (
                schema in self._names and self._is_nothing(self._names[schema])
            )
        if isinstance(schema, list):
            return False
        if schema["type"] == "fixed":
            return not schema["size"]
        fields = schema.get("fields", ())
        is_record = schema["type"] == "record"
        return is_record and all(self._is_nothing(field["type"]) for field in fields)

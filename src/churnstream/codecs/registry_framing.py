"""The framing of records whose schema stands in a registry.

Source: Confluent's wire format. A zero byte, the schema's id in four bytes, high ones first, and
for Protobuf the place of the message in its file: how many numbers, then each, as zigzag varints;
a single 0 stands for the first message. Newer clients may name the schema in a header instead, by a
GUID, and frame nothing.
"""

from typing import NamedTuple

from churnstream.codecs.source_records import Headers

IN_HEADERS = "__value_schema_id"
"""The header that names the schema of a value by its GUID."""
HEADER = 5
"""Bytes before what is framed."""
FIRST_MESSAGE = b"\0"
"""The place of the first message in its file."""
_MAX_DEPTH = 100  # of a message within messages, as deep as Protobuf's own parsers go
_MAX_VARINT = 10  # bytes
_MORE = 0x80  # in a byte of a varint: others follow


class WriterSchema(NamedTuple):
    """A schema as a registry has it.

    Attributes:
        kind: AVRO, PROTOBUF or JSON.
        text: The schema itself.
        references: Of the schemas that it refers to the texts, by the name it uses.
    """

    kind: str
    text: str
    references: dict[str, str]


def schema_id_of(value: bytes | None) -> int | None:
    """The id of the schema in the registry; None for a record without that framing."""
    if value is None or len(value) < HEADER or value[0]:
        return None
    return int.from_bytes(value[1:HEADER], "big")


def is_named_in_headers(headers: Headers) -> bool:
    """Whether the schema of a value is named in a header, so that nothing is framed."""
    return any(name == IN_HEADERS for name, _ in headers)


def payload_of(value: bytes) -> bytes:
    """What is framed."""
    return value[HEADER:]


def framed(schema_id: int, payload: bytes) -> bytes:
    """A payload with the id of its schema before it."""
    return b"\0" + schema_id.to_bytes(4, "big") + payload


def message_place(payload: bytes) -> tuple[tuple[int, ...], bytes]:
    """The place of a Protobuf message in its file, and what is behind it.

    Raises:
        ValueError: It ends early, or is deeper than any message.
    """
    count, rest = _zigzag(payload)
    if count == 0:
        return (0,), rest
    if not 0 < count <= _MAX_DEPTH:
        raise ValueError("says no place of a message")
    places = []
    for _ in range(count):
        place, rest = _zigzag(rest)
        places.append(place)
    return tuple(places), rest


def _zigzag(data: bytes) -> tuple[int, bytes]:
    number = 0
    for position, byte in enumerate(data[:_MAX_VARINT]):
        number |= (byte & 0x7F) << (7 * position)
        if byte < _MORE:
            return (number >> 1) ^ -(number & 1), data[position + 1 :]
    raise ValueError("ends within the place of its message")

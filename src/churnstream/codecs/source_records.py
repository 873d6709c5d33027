"""A record of somebody else's topic as it came, and as our own form has it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Path = tuple[str, ...]
"""The names from an outermost object inwards."""
Headers = Sequence[tuple[str, str | bytes | None]]


class Parsed(NamedTuple):
    """What a value holds, where it is no JSON.

    Attributes:
        content: As JSON has it: objects, arrays, texts, numbers, flags, null; bytes are base64.
        kinds: By the path of a value, its type in a Connect schema, where that says more: a decimal
            as `org.apache.kafka.connect.data.Decimal:2`.
    """

    content: Any
    kinds: Mapping[Path, str]


class Arrived(NamedTuple):
    """A record as it came.

    Attributes:
        timestamp: Milliseconds since 1970.
        parsed: What the value holds, where that is no JSON.
    """

    value: bytes | None
    key: bytes | None
    timestamp: int
    headers: Headers
    parsed: Parsed | None = None


class Opened(NamedTuple):
    """An event in our own form.

    Attributes:
        key: What must be the customer's id.
        is_spliced: Whether the fields are as they came, so that more of them may be understood if
            they are taken apart.
    """

    value: bytes
    key: bytes | None
    is_spliced: bool = False


class Unreadable(Exception):  # noqa: N818  # it is a value's fault, and travels as a rejection
    """Bytes cannot be read by the schema of their registry; says why."""

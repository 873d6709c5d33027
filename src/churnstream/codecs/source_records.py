"""A record of somebody else's topic as it came, and as our own form has it."""

from collections.abc import Sequence
from typing import NamedTuple

Headers = Sequence[tuple[str, str | bytes | None]]


class Arrived(NamedTuple):
    """A record as it came.

    Attributes:
        timestamp: Milliseconds since 1970.
    """

    value: bytes | None
    key: bytes | None
    timestamp: int
    headers: Headers


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

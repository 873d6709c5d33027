"""How large the pages of a Parquet file are, by their headers: its footer does not say.

A header is a struct in Thrift's compact protocol (https://github.com/apache/thrift, the document
thrift-compact-protocol.md; its fields: parquet.thrift of https://github.com/apache/parquet-format).
No library at hand reads one without the page behind it.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

_WINDOWS = (1024, 64 * 1024)  # bytes: most headers have some 50, those with statistics more
_DEEPEST = 16
# Types of a value in the compact protocol.
_STOP, _TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = (
    0, 1, 2, 3, 6, 7, 8, 9, 10, 12,
)  # fmt: skip
_LENGTHS = {_TRUE: 1, _FALSE: 1, _BYTE: 1, _DOUBLE: 8}  # the first two within a list
# Fields of a page's header, and of what it says for each kind of page.
_UNPACKED, _PACKED, _DATA, _DICTIONARY, _DATA_V2 = 2, 3, 5, 7, 8
_VALUES = 1


class Page(NamedTuple):
    """A page.

    Attributes:
        size: Bytes when it is unpacked.
        values: How many it has, nulls included.
        is_dictionary: Whether its values are those that other pages point at.
    """

    size: int
    values: int
    is_dictionary: bool


def pages(file: BinaryIO, begin: int, length: int) -> Iterator[Page]:
    """The pages of a column in a row group, in their order.

    Args:
        begin: Where the first one's header is.
        length: Bytes of all of them with their headers.

    Raises:
        ArrowInvalid: A header is damaged.
    """
    position = begin
    while position < begin + length:
        header, size = _header(file, position)
        kinds = (header.get(kind) for kind in (_DATA, _DATA_V2, _DICTIONARY))
        kind = next((its for its in kinds if isinstance(its, dict)), {})
        sizes = [header.get(_UNPACKED), header.get(_PACKED), kind.get(_VALUES, 0)]
        unpacked, packed, values = (n if type(n) is int else -1 for n in sizes)
        if min(unpacked, packed, values) < 0:
            raise pa.ArrowInvalid("the header of a page is damaged")
        yield Page(unpacked, values, _DICTIONARY in header)
        position += size + packed


def _header(file: BinaryIO, position: int) -> tuple[dict[int, Any], int]:
    """The fields of a header by their numbers, and its length in bytes."""
    for window in _WINDOWS:
        file.seek(position)
        reader = _Reader(file.read(window))
        try:
            return reader.struct(_DEEPEST), reader.position
        except (IndexError, ValueError):  # it goes on behind the window, or it is none
            continue
    raise pa.ArrowInvalid("the header of a page is damaged")


class _Reader:
    """Reads a struct; what is no whole number in it is passed over.

    Attributes:
        position: Behind what was read.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def struct(self, depth: int) -> dict[int, Any]:
        """The fields by their numbers.

        Raises:
            IndexError: It ends too early.
            ValueError: It is no struct.
        """
        if not depth:
            raise ValueError("nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != _STOP:
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[number] = None if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:  # noqa: ANN401  # a number or a struct
        if kind == _STRUCT:
            return self.struct(depth - 1)
        if _BYTE < kind <= _I64:
            return self._signed()
        if kind in (_LIST, _SET):
            return self._pass_over_list(depth)
        length = self._unsigned() if kind == _BINARY else _LENGTHS.get(kind)
        if length is None:
            raise ValueError("no such type")
        self.position += length
        if self.position > len(self._content):
            raise IndexError
        return None

    def _pass_over_list(self, depth: int) -> None:
        head = self._byte()
        count = self._unsigned() if head >> 4 == 15 else head >> 4  # noqa: PLR2004
        for _ in range(count):
            self._value(head & 15, depth)

    def _byte(self) -> int:
        self.position += 1
        return self._content[self.position - 1]

    def _unsigned(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:  # noqa: PLR2004
                return number

    def _signed(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)

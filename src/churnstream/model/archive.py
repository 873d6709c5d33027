"""Archives of models, looked at before anything in them is unpacked.

A few hundred kilobytes can unpack to as many megabytes, an array's header can name more numbers
than there are, and a member can be asked for a thousand times. What is let through holds no more
than its size lets expect.
"""

import io
import json
from math import prod
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

_ALWAYS = 16 * 2**20  # bytes that any archive may unpack to
_TIMES = 10  # and so many times its own size
_SCHEMA = "schema.json"


def plain(content: bytes) -> bytes:
    """The archive with nothing compressed in it; itself if there is nothing.

    Raises:
        ValueError: It holds more than its size lets expect, or an array that is not what it says.
        BadZipFile: It is no archive.
    """
    return _plain(content, max(_ALWAYS, _TIMES * len(content)))


def _plain(content: bytes, most: int) -> bytes:
    copy, left = io.BytesIO(), most
    sizes: dict[str, int] = {}
    schema = b"{}"
    with ZipFile(io.BytesIO(content)) as archive, ZipFile(copy, "w") as unpacked:
        members = archive.infolist()
        is_plain = not any(m.compress_type or m.filename.endswith(".npz") for m in members)
        for member in members:
            data = _read(archive, member, left)
            left -= len(data)
            sizes[member.filename] = len(data)
            schema = data if member.filename == _SCHEMA else schema
            if not is_plain:
                unpacked.writestr(member.filename, data)
    if _asked_for(json.loads(schema), sizes) > most:
        raise ValueError("it asks for its members so often that they add up to too much")
    return content if is_plain else copy.getvalue()


def _read(archive: ZipFile, member: ZipInfo, most: int) -> bytes:
    """A member, with what is packed in it unpacked, too.

    The sizes in an archive may be lies, so what counts is what comes out; only the two methods that
    are read here stop where they are told to.
    """
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is packed in a way that is not read here")
    with archive.open(member) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError("it unpacks to far more than its size")
    if member.filename.endswith(".npz"):
        return _plain(data, most)
    if member.filename.endswith(".npy"):
        _check_array(member.filename, data)
    return data


def _check_array(name: str, data: bytes) -> None:
    """Make sure that an array holds the numbers that its header names."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read_header(file)
    if min(shape, default=0) < 0 or prod(shape) * max(dtype.itemsize, 1) != len(data) - file.tell():
        raise ValueError(f"{name} does not hold the {shape} numbers that it names")


def _asked_for(schema: Any, sizes: dict[str, int]) -> int:  # noqa: ANN401  # any JSON
    """Bytes of all members as often as they are named as the file of something."""
    total, waiting = 0, [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = part.get("file")
            total += sizes.get(name, 0) if isinstance(name, str) else 0
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return total

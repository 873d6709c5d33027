"""The bytes of a file, unpacked on the way if it is compressed: nothing is ever unpacked whole."""

import lzma
import zipfile
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path, PurePath
from typing import NamedTuple, Protocol

import pyarrow as pa

from churnstream.files.file_errors import FileError

CHUNK = 256 * 1024  # bytes
_STREAMS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zXZ": "xz"}
_SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz", ".zip": "zip"}
_ZIP = b"PK\x03\x04"
_DOCUMENT = ("[Content_Types].xml", "mimetype")  # of the zip files that are documents
_MAX_SAID = 5


class Readable(Protocol):
    """What is read from."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class ByteSource(NamedTuple):
    """Where the bytes of a file come from.

    Attributes:
        packing: Of the file: gzip, zstd, bz2, xz, zip, or "" for none.
        name: Of what is in it, in lower case: the file's own without the packing's suffix, or that
            of the one file in a zip.
        member: The same as the zip spells it.
    """

    path: Path
    packing: str
    name: str
    member: str = ""

    def chunks(self) -> Generator[bytes]:
        """The unpacked bytes, in pieces of `CHUNK`, the last one shorter."""
        with ExitStack() as stack:
            stream: Readable
            if self.packing == "zip":
                archive = stack.enter_context(zipfile.ZipFile(self.path))
                stream = archive.open(self.member)
            elif self.packing == "xz":
                stream = stack.enter_context(lzma.open(self.path))
            else:
                stream = pa.input_stream(str(self.path), compression=self.packing or None)
            stack.enter_context(closing(stream))
            while chunk := stream.read(CHUNK):
                yield chunk

    def beginning(self) -> bytes:
        """The first `CHUNK` unpacked bytes at most."""
        with closing(self.chunks()) as chunks:
            return next(chunks, b"")


def look_into(path: Path) -> ByteSource:
    """Find out whether a file is compressed, by its first bytes.

    Raises:
        FileError: Its name says that it is compressed, and it is not; or a zip has no file of
            customers in it, or several.
    """
    with path.open("rb") as file:
        head = file.read(8)
    suffix = path.suffix.lower()
    if head.startswith(_ZIP):
        return _look_into_zip(path)
    packing = next((its for magic, its in _STREAMS.items() if head.startswith(magic)), "")
    said = _SUFFIXES.get(suffix, "")
    if head and said and said != packing:
        raise FileError(f"is no {said} file or a damaged one; fetch or compress it again")
    name = path.name.lower().removesuffix(suffix) if said else path.name.lower()
    return ByteSource(path, packing, name)


def _look_into_zip(path: Path) -> ByteSource:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = [member.filename for member in members]
    if any(name in _DOCUMENT for name in names):
        return ByteSource(path, "", path.name.lower())
    data = [member for member in members if not member.is_dir() and not _is_hidden(member.filename)]
    if len(data) != 1:
        found = ", ".join(member.filename for member in data[:_MAX_SAID]) or "none"
        more = f" and {len(data) - _MAX_SAID} more" if len(data) > _MAX_SAID else ""
        raise FileError(f"must hold one file, and holds {found}{more}; unpack it and choose")
    (member,) = data
    if member.flag_bits & 1:
        raise FileError("is protected by a password; unpack it first")
    return ByteSource(path, "zip", member.filename.lower(), member.filename)


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or PurePath(name).name.startswith(".")

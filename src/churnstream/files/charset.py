"""The encoding of a text: found by its bytes, and turned into UTF-8 as it is read."""

import codecs
import re
from collections.abc import Generator, Iterator

from churnstream.files.file_errors import FileError

UTF_8 = "utf-8"
_MARKS = {
    codecs.BOM_UTF8: UTF_8,
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_WORDS = {
    UTF_8: "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
    "iso8859-1": "Latin-1",
}
_IN_UTF_16 = 0.3  # of the bytes at even or at odd places are 0 where most text is Latin
_UNDECODABLE = "churnstream.undecodable"
# pyarrow finds the row of what is no UTF-8, and half a surrogate pair is none.
codecs.register_error(_UNDECODABLE, lambda error: ("\udcff", getattr(error, "end", 0)))


def in_words(charset: str) -> str:
    """The usual name of an encoding."""
    name = codecs.lookup(charset).name
    return _WORDS.get(name, name)


def detect(text: bytes) -> str | None:
    """The encoding of some bytes of a file, or None where they are ASCII and tell nothing.

    Raises:
        FileError: They are no text.
    """
    for mark, charset in _MARKS.items():
        if text.startswith(mark):
            return charset
    for first, charset in ((1, "utf-16-le"), (0, "utf-16-be")):
        if text[first::2].count(0) > _IN_UTF_16 * len(text) / 2:
            return charset
    if b"\0" in text:
        raise FileError(
            "is no text: it holds bytes of 0; export it as CSV, or declare its encoding"
        )
    if text.isascii():
        return None
    # A single broken byte in much UTF-8 is a broken row, not another encoding.
    others = len(_NOT_ASCII.findall(_SEQUENCE.sub(b"", text[: len(text) - _cut_short(text)])))
    return UTF_8 if len(_SEQUENCE.findall(text)) >= others else "cp1252"


def _cut_short(text: bytes) -> int:
    """How many bytes at the end may be the beginning of a character in UTF-8."""
    found = re.search(rb"[\xc2-\xf4][\x80-\xbf]{0,2}\Z", text)
    return len(found[0]) if found else 0


def as_utf_8(chunks: Iterator[bytes], charset: str) -> Generator[bytes]:
    """The same text in UTF-8; what does not decode becomes bytes that are no UTF-8 either."""
    if codecs.lookup(charset).name == UTF_8:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(charset)(_UNDECODABLE)
    for chunk in chunks:
        yield decoder.decode(chunk).encode(UTF_8, "surrogatepass")
    yield decoder.decode(b"", final=True).encode(UTF_8, "surrogatepass")

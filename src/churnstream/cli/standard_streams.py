"""The standard streams, each fit for its purpose.

Logs and error messages stop nothing: what stderr does not take is lost. Results that stdout does
not take are a failure; what its encoding does not have appears as `\\uXXXX`, which JSON knows, too.
All of it also where a stream was closed before we began.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from churnstream.errors import ChurnstreamError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_ESCAPED = "churnstream.escaped"


class _LogFile(io.FileIO):
    """Takes everything, and writes what can be written."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # any buffer
        with suppress(OSError):
            written: int | None = super().write(data)
            if written is not None:  # as where the reader is slow, and nobody may wait for it
                return written
        return len(data)


class _ResultFile(io.FileIO):
    """Says once that it cannot be written; the end of the process then passes without a word."""

    _is_lost = False

    def write(self, data: Any, /) -> int:  # noqa: ANN401  # any buffer
        if self._is_lost:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:  # the reader has seen enough
            self._is_lost = True
            raise
        except OSError as error:
            self._is_lost = True
            raise ChurnstreamError(
                f"results cannot be written to stdout: {error.strerror}"
            ) from error


def settle() -> None:
    """Give this process its standard streams; the first thing that it does.

    A number that is free would go to the next file or connection, and whatever is printed into it.
    """
    for number in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest number that is free: this one
    codecs.register_error(_ESCAPED, _escape)
    if _is_ours(sys.stdout):
        file: io.FileIO = _ResultFile(_STDOUT, "wb", closefd=False)
        sys.stdout = _over(file, sys.stdout, _ESCAPED)
    if _is_ours(sys.stderr):
        file = _LogFile(_STDERR, "wb", closefd=False)
        sys.stderr = _over(file, sys.stderr, "backslashreplace")


def _is_ours(stream: TextIO | None) -> bool:
    """Whether it is Python's own, or missing; another one is that of who calls us."""
    return stream is None or type(stream) is io.TextIOWrapper


def _over(file: io.FileIO, stream: TextIO | None, errors: str) -> io.TextIOWrapper:
    """A text stream as the one before, on another file."""
    encoding = "utf-8" if stream is None else stream.encoding
    line_buffering = stream is None or bool(stream.line_buffering)
    buffer = io.BufferedWriter(file)
    return io.TextIOWrapper(buffer, encoding, errors, line_buffering=line_buffering)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    units = text.encode("utf-16-be", "surrogatepass")  # two for what is beyond the first plane
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def read_stdin() -> bytes:
    """All of standard input.

    Raises:
        DataError: It is closed or cannot be read.
    """
    if sys.stdin is None:
        raise DataError("cannot read stdin: it is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise DataError(f"cannot read stdin: {error.strerror}") from error


@contextmanager
def done_already(what: str) -> Iterator[None]:
    """Say of a failure in a with-block that the work before it is not lost."""
    try:
        yield
    except ChurnstreamError as error:
        raise ChurnstreamError(f"{error}; {what}") from error


def silence_stdout() -> None:
    """Keep the end of the process from writing what could not be written before."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

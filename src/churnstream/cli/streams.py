"""Standard output in whatever encoding it has."""

import codecs
import io
import sys

from churnstream.errors import DataError

_ESCAPED = "churnstream.escaped"


def take_any_text() -> None:
    """Let what stdout's encoding does not have appear as `\\uXXXX`, which JSON understands, too."""
    codecs.register_error(_ESCAPED, _escape)
    if isinstance(sys.stdout, io.TextIOWrapper):  # not where it is closed
        sys.stdout.reconfigure(errors=_ESCAPED)


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

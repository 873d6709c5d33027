"""The headers of a record, which may be any bytes."""

from operator import methodcaller

from churnstream.streaming.kafka.client import Message

Header = tuple[str, str | bytes | None]

# The library takes every name for UTF-8, which no broker looks after. For another one it sets an
# error and keeps a list with a hole, and whoever asks a second time, and looks into the hole, ends
# the process. Called like this, Python always notices the error at once: SystemError.
_read = methodcaller("headers")
_UNREADABLE: list[Header] = [("churnstream.headers.unreadable", None)]


def headers_of(record: Message) -> list[Header] | None:
    """The headers in their order; None if a name is not UTF-8, and none of them can be read.

    To be asked for here alone: see above.
    """
    try:
        headers = _read(record) or []
    except (SystemError, UnicodeDecodeError):
        record.set_headers(_UNREADABLE)  # in place of the list with the hole
        return None
    found = list(headers.items()) if isinstance(headers, dict) else list(headers)
    return None if found == _UNREADABLE else found

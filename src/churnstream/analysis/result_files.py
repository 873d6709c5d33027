"""Where summaries and their pages go."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from churnstream import safe_files
from churnstream.errors import ChurnstreamError


def replace_result(path: Path, content: bytes) -> None:
    """Write a file in place of the one that is there, and its folder if that is missing.

    Raises:
        ChurnstreamError: The file or its folder cannot be written.
    """
    with _named(path):
        safe_files.replace(path, content)


def require_writable(path: Path) -> None:
    """Try whether a file can be written, before the long work whose end it is, not after.

    Raises:
        ChurnstreamError: The file or its folder cannot be written.
    """
    with _named(path):
        safe_files.try_to_write(path)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ChurnstreamError(f"cannot write {path}: {error.strerror}") from error

"""Files that a reader finds whole: the old one or the new one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EISDIR
from pathlib import Path

from churnstream.errors import ChurnstreamError

_TRIAL = 128 * 1024  # bytes: more than what is written afterwards takes as a rule


def replace(path: Path, content: bytes) -> None:
    """Write a file in place of the one that is there, and its folder if that is missing.

    Raises:
        ChurnstreamError: The file or its folder cannot be written.
    """
    with _draft(path) as draft:
        draft.write_bytes(content)
        draft.replace(path)


def require_writable(path: Path) -> None:
    """Try whether a file can be written, before the long work whose end it is, not after.

    Leaves nothing behind.

    Raises:
        ChurnstreamError: The file or its folder cannot be written.
    """
    new = [folder for folder in path.parents if not folder.exists()]
    with _draft(path) as draft:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        draft.write_bytes(bytes(_TRIAL))
    for folder in new:
        with suppress(OSError):  # somebody else has put something there
            folder.rmdir()


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A name beside the file, in a folder that is there, for what is to take its place."""
    draft = path.parent / f".{path.name}.{os.getpid()}"
    try:
        with suppress(FileExistsError):
            path.parent.mkdir(parents=True)
        yield draft
    except OSError as error:
        raise ChurnstreamError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)

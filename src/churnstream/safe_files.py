"""Files that others read and write meanwhile: each is seen whole, and only one writes at a time."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_NAME = 50  # characters of a file's name that its draft's has, too; 255 bytes are the most

_TRIAL = 128 * 1024  # bytes: more than what is written afterwards takes as a rule


def replace(path: Path, content: bytes) -> None:
    """Write a file in place of the one that is there, and its folder if that is missing.

    Raises:
        OSError: The file or its folder cannot be written; the old file is still there.
    """
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True)
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` at the end of the with-block.

    A reader finds the old file or the new one, whole, also after a power cut. Permissions stay, a
    link goes on to lead where it did, and what is left behind by an error is the old file alone.

    Raises:
        OSError: It cannot be written.
    """
    target = _plain(path)
    draft = _draft_of(target)
    try:
        with draft.open("xb") as file:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        with suppress(OSError):  # it is there no more, or what went wrong is known already
            draft.unlink()
    _sync(target.parent)


def try_to_write(path: Path) -> None:
    """Try whether a file could be written here, and leave nothing behind.

    Raises:
        OSError: It or its folder could not be.
    """
    target = _plain(path)
    new = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft_of(target)
    try:
        draft.write_bytes(bytes(_TRIAL))
    finally:
        draft.unlink(missing_ok=True)
    for folder in new:
        with suppress(OSError):  # somebody else has put something there
            folder.rmdir()


def require_plain(path: Path) -> None:
    """Find out that a file is missing or a plain one; others never end, or are not to be replaced.

    A device such as /dev/null would be gone for all processes, if root writes there.

    Raises:
        OSError: It is a folder, a device, a pipe or a socket.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "It is not a plain file, but a device, a pipe or a socket")


def _plain(path: Path) -> Path:
    """Where a link leads, and what may be replaced there; see `require_plain`."""
    require_plain(path)
    return path.resolve()


def _draft_of(target: Path) -> Path:
    return target.with_name(f".{target.name[:_NAME]}.{secrets.token_hex(4)}")


def _sync(folder: Path) -> None:
    """Make sure that the folder knows the new file; some file systems have no such call."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone_at(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of a file, `.NAME.lock` beside it, against other processes and threads.

    Args:
        seconds: To wait for it; 0 does not.

    Raises:
        TimeoutError: Another one holds it.
        OSError: The lock or its folder cannot be made.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=seconds, poll_interval=0.005)
    try:
        lock.acquire()
    except Timeout as error:
        raise TimeoutError(f"another process holds {lock.lock_file}") from error
    try:
        yield
    finally:
        lock.release()

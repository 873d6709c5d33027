"""Files that a reader finds whole: the old one or the new one."""

import os
from contextlib import suppress
from pathlib import Path

from churnstream.errors import ChurnstreamError


def replace(path: Path, content: bytes) -> None:
    """Write a file in place of the one that is there, and its folder if that is missing.

    Raises:
        ChurnstreamError: The file or its folder cannot be written.
    """
    draft = path.parent / f".{path.name}.{os.getpid()}"
    try:
        with suppress(FileExistsError):
            path.parent.mkdir(parents=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise ChurnstreamError(f"cannot write the summary to {path}: {error.strerror}") from error

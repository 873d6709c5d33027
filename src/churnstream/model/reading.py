"""Reading the files of a model, which anyone may have put there."""

import hashlib
import os
from pathlib import Path

from churnstream.errors import ModelError
from churnstream.model.pipeline_file import TRAIN_AGAIN


def read_checked(path: Path, sha256: str, max_bytes: int) -> bytes:
    """The content of a file that must have a digest.

    Raises:
        ModelError: It is missing, too large, or another one.
    """
    content = read_bounded(path, f"{path} is missing; {TRAIN_AGAIN}", max_bytes)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path} is not the file that its manifest describes "
            f"(SHA-256 {found[:8]}…, not {sha256[:8]}…); {TRAIN_AGAIN}"
        )
    return content


def read_bounded(path: Path, missing: str, max_bytes: int) -> bytes:
    """The content of a file that may not be larger than so many bytes.

    Args:
        missing: What to say where there is none.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size) if size <= max_bytes else None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(missing) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if content is None:
        raise ModelError(f"{path} is larger than {max_bytes >> 20:,} MiB; {TRAIN_AGAIN}")
    return content

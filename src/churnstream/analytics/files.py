"""Where summaries and their pages go."""

from pathlib import Path

from churnstream import safe_files
from churnstream.errors import ChurnstreamError


def replace(path: Path, content: bytes) -> None:
    """Write a file in place of the one that is there, and its folder if that is missing.

    Raises:
        ChurnstreamError: The file or its folder cannot be written.
    """
    try:
        safe_files.replace(path, content)
    except OSError as error:
        raise ChurnstreamError(f"cannot write the summary to {path}: {error.strerror}") from error

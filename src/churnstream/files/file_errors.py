"""What goes wrong with a file, in one line that names it and says what to do."""

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from churnstream.errors import DataError
from churnstream.files.parquet_file import MAX_ROW

_PACKED = "is damaged, or only the first part of a file; fetch or compress it again"
_ADVICE = {
    r"straddling object": f"a row is longer than {MAX_ROW} bytes; is a quote never closed?",
    r"zlib|compressed stream|[Zz][Ss][Tt][Dd]|BZ2|bz2|CRC|[Tt]runcated file|end of stream": _PACKED,
}
_DAMAGED = (EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error)


class FileError(ValueError):
    """What is wrong with a file, as words that follow its name: "is empty; ..."."""


@contextmanager
def faults_named(path: Path) -> Iterator[None]:
    """Turn what goes wrong inside into one line that names the file and says what to do.

    Raises:
        DataError: In place of the errors of the libraries and of the operating system.
    """
    try:
        yield
    except (FileError, OSError, UnicodeError, pa.ArrowException, NotImplementedError) as error:
        raise DataError(f"{path}: {advice_on(error)}") from error
    except _DAMAGED as error:
        raise DataError(f"{path}: {_PACKED}") from error


def advice_on(error: Exception) -> str:
    """What is wrong, in words that follow the file's name."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}; check its path and permissions"
    line = " ".join(str(error).split())
    if isinstance(error, FileError):
        return line
    return next((advice for known, advice in _ADVICE.items() if re.search(known, line)), line)

"""A file of small things that are kept for each source; several processes may write to it."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from churnstream import safe_files
from churnstream.errors import CheckpointError
from churnstream.records.rejection import UNDECODABLE

T = TypeVar("T")

_LOCKED = 30.0  # seconds; whoever changes an entry is done in milliseconds


class PositionFile(Generic[T]):
    """An entry for each key, as one JSON object.

    A change looks at the file anew and touches one entry, under a lock: what other processes have
    written stays.

    Args:
        path: The file; its folder is made where it is missing.
        kind: The type of an entry.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self._decode = msgspec.json.Decoder(dict[str, kind]).decode  # type: ignore[valid-type]

    def get(self, key: str) -> T | None:
        """The entry of a key; None if it has none.

        Raises:
            CheckpointError: The file is there but cannot be read.
        """
        return self._read().get(key)

    def change(self, key: str, change: Callable[[T | None], T]) -> T:
        """Put another entry in the place of a key's, and return it.

        Args:
            change: Gets the entry as it is, None if there is none.

        Raises:
            CheckpointError: The file cannot be read or written.
        """
        with self._writing(), safe_files.alone_at(self.path, _LOCKED):
            entries = self._read()
            before = entries.get(key)
            entries[key] = after = change(before)
            if after != before:
                safe_files.replace(self.path, msgspec.json.encode(entries))
        return after

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Be the only process that sends what a key stands for.

        Raises:
            CheckpointError: Another one does, or the file's folder cannot be written.
        """
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        with ExitStack() as held:
            with self._writing():
                try:
                    lock = self.path.with_name(f"{self.path.name}.{name}")
                    held.enter_context(safe_files.alone_at(lock, 0))
                except TimeoutError as error:
                    raise CheckpointError(
                        "another process is sending the same file to the same topic; "
                        "run it again when that one is done"
                    ) from error
            yield

    def _read(self) -> dict[str, T]:
        try:
            safe_files.require_plain(self.path)
            return self._decode(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, *UNDECODABLE) as error:
            raise CheckpointError(
                f"checkpoint file {self.path} cannot be read ({error}); repair or remove it, "
                "or name another with --checkpoint-file"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CheckpointError(
                f"checkpoint file {self.path} cannot be written ({error.strerror or error})"
            ) from error

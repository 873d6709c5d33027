"""Where a model comes from: a folder that `train` saved, or an address in MLflow's registry."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from churnstream.model import manifest
from churnstream.model.registry import SCHEME, Registered
from churnstream.model.scorer import Model


class Source(Protocol):
    """A place where the model may be replaced."""

    def newest(self) -> str:
        """Names what is there right now; another name is another model.

        Raises:
            ModelError: Nothing is there, or the place cannot be reached.
        """
        ...

    def load(self, name: str) -> Model:
        """The model of that name, checked.

        Raises:
            ModelError: It cannot be trusted or used.
            RegistryError: It cannot be fetched.
        """
        ...


class Folder:
    """A model on disk, named by the digest of its manifest."""

    def __init__(self, path: Path, trusted: Collection[str] = ()) -> None:
        self._path, self._trusted = path, trusted

    def newest(self) -> str:
        """The digest of the manifest that is there right now, as far as it is needed."""
        return hashlib.sha256(manifest.read(self._path)).hexdigest()[:16]

    def load(self, name: str) -> Model:
        """What is there by now: as new as `name` or newer."""
        return manifest.load(self._path, self._trusted)


def source_of(place: str, trusted: Collection[str] = ()) -> Source:
    """What is at a folder or at an address of the registry.

    Args:
        trusted: Types that may be in the pipeline beyond those that always may.

    Raises:
        ConfigurationError: An address of unknown form, or MLflow is not installed.
    """
    return Registered(place, trusted) if is_registered(place) else Folder(Path(place), trusted)


def is_registered(place: str) -> bool:
    """Whether this is an address in the registry and no folder."""
    return place.startswith(SCHEME)


def load(place: str, trusted: Collection[str] = ()) -> Model:
    """The model that is there right now.

    Raises:
        ConfigurationError: An address of unknown form, or MLflow is not installed.
        ModelError: There is none, or it cannot be trusted or used; says what to do.
    """
    source = source_of(place, trusted)
    return source.load(source.newest())

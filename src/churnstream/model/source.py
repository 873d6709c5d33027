"""Where a model comes from: a folder that `train` saved, or an address in MLflow's registry."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from churnstream.model import manifest
from churnstream.model.registry import SCHEME, Registered
from churnstream.model.scorer import Model
from churnstream.schema.schema_file import source_in
from churnstream.settings import Settings


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


class ForTopic:
    """Models of a source for the events of a topic, in whatever form these come.

    Args:
        customers: The schema file that is named; see `churnstream.schema.schema_file.source_in`.
    """

    def __init__(self, source: Source, customers: Path | None) -> None:
        self._source, self._customers = source, customers

    def newest(self) -> str:
        """See `Source`."""
        return self._source.newest()

    def load(self, name: str) -> Model:
        """See `Source`."""
        model = self._source.load(name)
        return model.reading(source_in(self._customers, model.schema))


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


def load_for_topic(settings: Settings) -> Model:
    """The model of the settings, for the events of their topic.

    Raises:
        ConfigurationError: An address of unknown form, or MLflow is not installed.
        ModelError: There is none, or it cannot be trusted or used; says what to do.
    """
    own = settings.model
    source = ForTopic(source_of(own.path, own.trusted_types), settings.customers.schema_file)
    return source.load(source.newest())


def load(place: str, trusted: Collection[str] = ()) -> Model:
    """The model that is there right now.

    Raises:
        ConfigurationError: An address of unknown form, or MLflow is not installed.
        ModelError: There is none, or it cannot be trusted or used; says what to do.
    """
    source = source_of(place, trusted)
    return source.load(source.newest())

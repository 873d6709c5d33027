"""Models in MLflow's registry: an address like models:/telco-churn@champion into a folder here.

Needs the extra `mlflow`. Each version carries, beside MLflow's own form of the pipeline, the
folder that `churnstream.model.manifest.save` wrote (see `churnstream.model.tracking`). Only that
is fetched, for `churnstream.model.manifest.load` with all its checks.
"""

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from churnstream.errors import ConfigurationError, ModelError
from churnstream.model.manifest import MANIFEST_NAME

FOLDER = "churnstream"  # of our own files, within a version
_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")


class Fetched(NamedTuple):
    """A registered model on this disk.

    Attributes:
        folder: For `churnstream.model.manifest.load`.
        version: The number in the registry.
    """

    folder: Path
    version: str


def resolve(uri: str, tracking_uri: str | None = None) -> str:
    """The version that `models:/NAME@ALIAS` or `models:/NAME/VERSION` stands for right now.

    Raises:
        ConfigurationError: The address is of another form, or MLflow is not installed.
        ModelError: There is no such version, or MLflow could not be reached.
    """
    with store(tracking_uri) as mlflow:
        return str(_find(mlflow, uri).version)


def fetch(uri: str, folder: Path, tracking_uri: str | None = None) -> Fetched:
    """Bring a registered model to this disk, unless it is there already.

    Cheap to call again and again: a version is downloaded once, into a folder of its own, which
    appears when it is whole.

    Args:
        uri: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
        folder: That holds the folders of all versions.

    Raises:
        ConfigurationError: The address is of another form, or MLflow is not installed.
        ModelError: There is no such version, it was not made by churnstream, or MLflow could not
            be reached.
    """
    with store(tracking_uri) as mlflow:
        found = _find(mlflow, uri)
        # A registry that was set up anew counts from 1 again; the time tells its versions apart.
        target = folder / f"{found.name}-{found.version}-{found.creation_timestamp}"
        if not (target / MANIFEST_NAME).is_file():
            _download(mlflow, f"models:/{found.name}/{found.version}", target)
    return Fetched(target, str(found.version))


def require() -> None:
    """Make sure that MLflow is there, before long work.

    Raises:
        ConfigurationError: It is not installed.
    """
    if find_spec("mlflow") is None:
        raise ConfigurationError("MLflow is not installed: pip install 'churnstream[mlflow]'")


@contextlib.contextmanager
def store(tracking_uri: str | None) -> Iterator[Any]:
    """MLflow, set to a store: its errors become ours, and what it prints goes to stderr.

    Args:
        tracking_uri: None: MLFLOW_TRACKING_URI, or the file mlflow.db in the working folder.
    """
    require()
    import mlflow
    import mlflow.sklearn
    from mlflow.exceptions import MlflowException

    if tracking_uri is not None:
        mlflow.set_tracking_uri(tracking_uri)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield mlflow
    except MlflowException as error:
        raise ModelError(f"MLflow: {error.message}") from error


def _find(mlflow: Any, uri: str) -> Any:  # noqa: ANN401
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise ConfigurationError(f"{uri}: expected models:/NAME@ALIAS or models:/NAME/VERSION")
    client = mlflow.MlflowClient()
    if parts["alias"]:
        return client.get_model_version_by_alias(parts["name"], parts["alias"])
    return client.get_model_version(parts["name"], parts["version"])


def _download(mlflow: Any, version: str, target: Path) -> None:  # noqa: ANN401
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as draft:
            mlflow.artifacts.download_artifacts(f"{version}/{FOLDER}", dst_path=draft)
            with contextlib.suppress(FileExistsError):  # another process was faster
                (Path(draft) / FOLDER).rename(target)
    except OSError as error:
        raise ModelError(f"{version} cannot be fetched into {target}: {error}") from error

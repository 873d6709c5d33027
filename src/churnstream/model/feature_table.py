"""What a model learns from and scores: columns of numbers and of texts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnstream.errors import ModelError

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Texts = NDArray[np.object_]
Column = Array | Texts


@dataclass(frozen=True)
class FeatureTable:
    """Customers in columns of one length.

    Attributes:
        numeric: By field, (n,); NaN is missing.
        categorical: By field, (n,) of str; None is missing.

    Raises:
        ModelError: There is no column, or their lengths differ.
    """

    numeric: Mapping[str, Array]
    categorical: Mapping[str, Texts]

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) != 1:
            found = f"columns of {sorted(lengths)} rows" if lengths else "no columns"
            raise ModelError(f"a table of customers has {found}; it needs columns of one length")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def columns(self) -> dict[str, Column]:
        """All of them by field, numbers first."""
        return {**self.numeric, **self.categorical}

    def rows(self, index: Labels) -> "FeatureTable":
        """Some of the customers, in the order of the index."""
        return FeatureTable(
            {name: column[index] for name, column in self.numeric.items()},
            {name: column[index] for name, column in self.categorical.items()},
        )


def missing(column: Column) -> NDArray[np.bool_]:
    """Where a column has no value, (n,)."""
    if column.dtype == np.object_:
        return np.array([value is None for value in column.tolist()], dtype=np.bool_)
    return np.isnan(np.asarray(column, dtype=np.float64))

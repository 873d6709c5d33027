"""From events to the columns that a model reads, and the categories that it knows.

The schema is learned from the training events and travels with the model: a category outside it
is a broken record (see `churnstream.codecs.decoding`), never a silent zero.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Self

import msgspec

from FIXME import DATASET_COLUMNS
from churnstream.schema.record_types import Event

if TYPE_CHECKING:
    import pandas as pd

FEATURES: tuple[str, ...] = tuple(name for name in DATASET_COLUMNS if name != "customerID")
NUMERIC: tuple[str, ...] = ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")
CATEGORICAL: tuple[str, ...] = tuple(name for name in FEATURES if name not in NUMERIC)

# Trees of scikit-learn compute in single precision and refuse what overflows it. Any amount up
# here is nonsense, but it is a number, and no input may stop the consumer.
_LARGEST = 3.4e38


class FeatureSchema(msgspec.Struct, frozen=True):
    """What a model expects of its input.

    Attributes:
        categories: The known values of each text column, sorted.
        numeric: The columns that hold numbers.
    """

    categories: dict[str, Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]]
    numeric: tuple[str, ...]

    @classmethod
    def of(cls, events: Sequence[Event]) -> Self:
        """The schema of these events: every category that occurs is known."""
        categories = {name: tuple(sorted(_distinct(events, name))) for name in CATEGORICAL}
        return cls(categories=categories, numeric=NUMERIC)


def frame(events: Sequence[Event]) -> "pd.DataFrame":
    """The raw features of events, a row each, in the order of the events.

    Returns:
        (n, 19): text columns of dtype object, numbers as float64: `SeniorCitizen` 0 or 1,
        `tenure` in months, charges in currency units. A null `TotalCharges` (a new customer)
        is 0.
    """
    import pandas as pd

    columns = {name: _column(events, name) for name in FEATURES}
    return pd.DataFrame(columns, copy=False)


def _column(events: Sequence[Event], name: str) -> "pd.Series[float] | pd.Series[str]":
    import numpy as np
    import pandas as pd

    values = list(map(attrgetter(name), events))
    if name in CATEGORICAL:
        # Plain objects: to build pandas' own text type costs more than the encoder gains by it.
        return pd.Series(values, dtype=object)
    if name == "TotalCharges":
        values = [value or 0.0 for value in values]
    return pd.Series(np.minimum(np.array(values, dtype=np.float64), _LARGEST))


def _distinct(events: Sequence[Event], name: str) -> set[str]:
    return set(map(attrgetter(name), events))

"""Which texts of a column get a term of their own, and where its numbers are cut."""

from collections import Counter

import numpy as np

from churnstream.model.feature_table import Array, Texts

_FEWEST = 10
_SMALLEST_SHARE = 0.005
_MOST_TEXTS = 100


def common_texts(column: Texts) -> list[str]:
    """The texts that enough customers share, the most frequent first; the others are "other".

    Enough are 10 of them and one in 200. Fewer tell more of themselves than of their text: a
    thousand cities with a term each cost 0.004 ROC AUC where they were tried.
    """
    counts = Counter(text for text in column.tolist() if text is not None)
    fewest = max(_FEWEST, _SMALLEST_SHARE * len(column))
    common = sorted((-count, text) for text, count in counts.items() if count >= fewest)
    return [text for _, text in common[:_MOST_TEXTS]]


def cuts(column: Array, most_steps: int) -> Array:
    """Where to cut a column of numbers, rising: between all its values, or at its quantiles."""
    values = np.unique(column[np.isfinite(column)])
    if len(values) <= most_steps:
        return _middles(values)
    at = np.linspace(0, 1, most_steps + 1)[1:-1]
    return np.unique(np.quantile(column[np.isfinite(column)], at))


def _middles(values: Array) -> Array:
    """Between each two; a value so close to the next that there is nothing between keeps it."""
    middles = values[:-1] / 2 + values[1:] / 2
    return np.unique(np.where(middles > values[:-1], middles, values[1:]))

"""Whether the customers of a window still look like those that the model was trained on.

The measure is the population stability index of each feature and of the score: over the bins of
its values, the sum of

    (share in the window - share in training) * ln(share in the window / share in training)

[Siddiqi 2006, Credit Risk Scorecards, on scorecard stability]. It is 0 where the shares are the
same; by the same source up to 0.1 is no change to speak of, and above 0.25 a large one. An empty
bin would make it infinite, so each bin of both sides counts half an event more than it holds.

Without any drift the index is still above 0, by chance alone: divided by 1/n + 1/m, for n events
in the window and m in training, it is distributed as chi-square with (bins - 1) degrees of
freedom [Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14(4)].
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.analysis import DRIFT_THRESHOLD
from churnstream.analysis.chi_square import exceeded_by

_HALF_AN_EVENT = 0.5
_FALSE_ALARMS = 0.001  # share of the windows without drift of which chance may tell otherwise

Array = NDArray[np.float64]
Counts = Mapping[str, int]


class Shift(msgspec.Struct, frozen=True):
    """A bin of values, and the shares of the events in it, 0 to 1."""

    values: str
    in_training: float
    in_window: float


class Stability(msgspec.Struct, frozen=True):
    """How far one feature, or the score, has moved.

    Attributes:
        psi: Population stability index, 0 or more.
        noise: What chance alone may bring it to; see `drift`.
        bins: All of them, in order.
        largest: The bin that contributes most to `psi`.
    """

    name: str
    psi: float
    noise: float
    bins: list[Shift]
    largest: Shift


class Drift(msgspec.Struct, frozen=True):
    """How far a window has moved from the training customers.

    Attributes:
        training_events: How many the model was fitted on.
        drifted: Names of those whose index is above the threshold.
        measured: Largest index first.
    """

    events: int
    training_events: int
    threshold: float
    drifted: list[str]
    measured: list[Stability]

    @property
    def noise(self) -> float:
        """The index that chance alone may bring about, of the feature with the most bins."""
        return max(one.noise for one in self.measured)


def drift(
    training: Mapping[str, Counts],
    window: Mapping[str, Counts],
    threshold: float = DRIFT_THRESHOLD,
) -> Drift:
    """Compare two sets of events.

    Args:
        training: By feature, how many events are in each bin.
        window: The same of the events to compare, at least one; bins that training does not have
            count as empty there, and the other way round.
        threshold: The index above which a feature has drifted. Where the noise is above it, too,
            the window is too small to tell: in one window of a thousand without drift, some
            index is above its noise.
    """
    level = _FALSE_ALARMS / len(training)
    measured = [_stability(name, training[name], window[name], level) for name in training]
    measured.sort(key=lambda one: -one.psi)
    name = measured[0].name
    return Drift(
        events=sum(window[name].values()),
        training_events=sum(training[name].values()),
        threshold=threshold,
        drifted=[one.name for one in measured if one.psi > threshold],
        measured=measured,
    )


def _stability(name: str, training: Counts, window: Counts, level: float) -> Stability:
    bins = list(dict.fromkeys([*training, *window]))
    expected = np.array([training.get(values, 0) for values in bins], dtype=np.float64)
    found = np.array([window.get(values, 0) for values in bins], dtype=np.float64)
    parts = _index(expected, found)
    shares = zip(bins, expected / expected.sum(), found / found.sum(), strict=True)
    shifts = [Shift(values, float(before), float(now)) for values, before, now in shares]
    spread = 1 / found.sum() + 1 / expected.sum()
    return Stability(
        name=name,
        psi=float(parts.sum()),
        noise=exceeded_by(level, max(len(bins) - 1, 1)) * float(spread),
        bins=shifts,
        largest=shifts[int(np.argmax(parts))],
    )


def _index(expected: Array, found: Array) -> Array:
    """What each bin adds to the index."""
    before = (expected + _HALF_AN_EVENT) / np.sum(expected + _HALF_AN_EVENT)
    now = (found + _HALF_AN_EVENT) / np.sum(found + _HALF_AN_EVENT)
    parts: Array = (now - before) * np.log(now / before)
    return parts

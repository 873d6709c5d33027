"""What a challenger would have said of the events that the champion scored."""

from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

_BINS = 10

Array = NDArray[np.float64]


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """Two models on the same events.

    Attributes:
        champion: Version of the model whose predictions were published.
        challenger: Version of the one whose were not.
        events: Scored by both.
        not_scored: Events that the challenger could not score, such as those with a category that
            it does not know.
        agreement: Share of the events with the same "Yes" or "No", each by the model's own
            threshold, 0 to 1; None without events.
        mean_difference: Probability of the challenger less that of the champion, on average; None
            without events.
        champion_scores: How many events have a probability from 0 to 0.1, to 0.2 … to 1.
        challenger_scores: The same of the challenger.
    """

    champion: str
    challenger: str
    events: int
    not_scored: int
    agreement: float | None
    mean_difference: float | None
    champion_scores: list[int]
    challenger_scores: list[int]


@dataclass
class _Totals:
    events: int = 0
    not_scored: int = 0
    agreed: int = 0
    difference: float = 0.0
    scores: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, _BINS), np.int64))


class ShadowBuilder:
    """Adds up batches; keeps totals only, for each pair of versions that met."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], _Totals] = {}

    def add(
        self,
        versions: tuple[str, str],
        probabilities: tuple[Array, Array],
        thresholds: tuple[float, float],
        not_scored: int = 0,
    ) -> None:
        """Add a batch; of each pair the champion is the first.

        Args:
            versions: Of the two models.
            probabilities: Of the events that both scored, (n,) each, in the same order.
            thresholds: The probability from which each predicts "Yes".
            not_scored: How many more events the challenger could not score.
        """
        totals = self._totals.setdefault(versions, _Totals())
        champion, challenger = probabilities
        totals.events += len(champion)
        totals.not_scored += not_scored
        same = (champion >= thresholds[0]) == (challenger >= thresholds[1])
        totals.agreed += int(np.sum(same))
        totals.difference += float(np.sum(challenger - champion))
        totals.scores += [np.histogram(each, _BINS, (0, 1))[0] for each in probabilities]

    def build(self) -> list[Shadow]:
        """What was added so far, a record for each pair of versions, in order of appearance."""
        return [
            Shadow(
                champion=champion,
                challenger=challenger,
                events=found.events,
                not_scored=found.not_scored,
                agreement=found.agreed / found.events if found.events else None,
                mean_difference=found.difference / found.events if found.events else None,
                champion_scores=found.scores[0].tolist(),
                challenger_scores=found.scores[1].tolist(),
            )
            for (champion, challenger), found in self._totals.items()
        ]


def in_words(shadow: Shadow) -> str:
    """A line for people."""
    if shadow.agreement is None or shadow.mean_difference is None:
        figures = "none that it could score"
    else:
        figures = (
            f"{shadow.agreement:.1%} predicted alike, "
            f"probability {shadow.mean_difference:+.4f} on average"
        )
    left = f"; {shadow.not_scored:,} not scored" if shadow.not_scored else ""
    return f"{shadow.challenger} on {shadow.events:,} events: {figures}{left}"

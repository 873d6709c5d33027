"""How risk goes over time, of all customers and of each segment, in bounded memory."""

from collections.abc import Mapping
from functools import reduce

Part = tuple[str, str]  # customers of one segment: a field, and the name of the segment
EVERYBODY: Part = ("", "")

_MAX_BUCKETS = 120


class Tally:
    """What was predicted of some customers in some time.

    Attributes:
        level: What is at risk of all of them at its end, see `CustomerGroup.at_risk`.
    """

    __slots__ = ("leaving", "level", "scored")

    def __init__(self, scored: int = 0, leaving: int = 0, level: float = 0.0) -> None:
        self.scored, self.leaving, self.level = scored, leaving, level

    def then(self, later: "Tally") -> "Tally":
        """Both times as one."""
        return Tally(self.scored + later.scored, self.leaving + later.leaving, later.level)


class RiskOverTime:
    """Predictions by their time of processing, in at most 120 buckets from the first to the last.

    When they do not suffice, neighbours are merged and each bucket covers twice the time.

    Attributes:
        width: Seconds of a bucket.
        buckets: Of each a tally for all customers (`EVERYBODY`), and one for each of their parts.
    """

    def __init__(self) -> None:
        self.width = 1.0
        self._start = 0.0
        self.buckets: list[dict[Part, Tally]] = []

    def add(self, at: float, leaving: bool, levels: Mapping[Part, float]) -> None:
        """Add a prediction.

        Args:
            levels: What is at risk after it, of each part that the customer belongs to.
        """
        if not self.buckets:
            self._start = at
        index = max(0, int((at - self._start) / self.width))
        while index >= _MAX_BUCKETS:
            self._merge()
            index = int((at - self._start) / self.width)
        while index >= len(self.buckets):
            before = self.buckets[-1] if self.buckets else {}
            self.buckets.append({part: Tally(level=one.level) for part, one in before.items()})
        bucket = self.buckets[index]
        for part, level in levels.items():
            tally = bucket.get(part) or bucket.setdefault(part, Tally())
            tally.scored += 1
            tally.leaving += leaving
            tally.level = level

    def _merge(self) -> None:
        pairs = [self.buckets[i : i + 2] for i in range(0, len(self.buckets), 2)]
        self.buckets = [reduce(_merged, pair) for pair in pairs]
        self.width *= 2

    @property
    def span(self) -> tuple[float, float]:
        """When it begins and ends, seconds since 1970."""
        return self._start, self._start + self.width * len(self.buckets)

    def rates(self, part: Part = EVERYBODY) -> list[float | None]:
        """Share that is expected to leave by bucket; None where nothing was scored."""
        return [one.leaving / one.scored if one.scored else None for one in self._of(part)]

    def levels(self, part: Part = EVERYBODY) -> list[float | None]:
        """What is at risk at the end of each bucket."""
        return [one.level for one in self._of(part)]

    def _of(self, part: Part) -> list[Tally]:
        return [bucket.get(part, Tally()) for bucket in self.buckets]


def _merged(first: dict[Part, Tally], later: dict[Part, Tally]) -> dict[Part, Tally]:
    both = {part: first[part].then(one) for part, one in later.items() if part in first}
    return {**first, **later, **both}

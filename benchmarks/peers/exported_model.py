"""The exported model in plain Python: tables, and curves by pieces.

Standard library only: it also runs inside the peers' environment.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any

Term = Callable[[Any], float]
"""Takes what an event holds in a field; its term."""


class ExportedModel:
    """Scores one event at a time.

    Args:
        path: What `benchmarks.exported` wrote.
    """

    def __init__(self, path: str) -> None:
        own = json.loads(Path(path).read_text(encoding="utf-8"))
        self.version, self._threshold, self._base = own["version"], own["threshold"], own["base"]
        terms = own["terms"]
        self._terms = [
            (name, _table(t) if t["type"] == "table" else _curve(t)) for name, t in terms.items()
        ]

    def score(self, event: dict[str, Any]) -> tuple[float, str]:
        """The probability of churn, and what follows from it."""
        log_odds = self._base
        for name, term in self._terms:
            log_odds += term(event[name])
        probability = 1 / (1 + math.exp(-log_odds))
        return probability, "Yes" if probability >= self._threshold else "No"


def _table(own: dict[str, Any]) -> Term:
    terms = own["terms"] | {int(text): v for text, v in own["terms"].items() if text.isdigit()}
    terms[None], other = own["missing"], own["other"]
    return lambda value: terms.get(value, other)


def _curve(own: dict[str, Any]) -> Term:
    knots: list[float] = own["knots"]
    pieces: list[list[float]] = own["coefficients"]
    missing: float = own["missing"]
    first, last, end = knots[0], knots[-1], len(pieces) - 1

    def term(value: float | None) -> float:
        if value is None:
            return missing
        log = math.copysign(math.log1p(abs(value)), value)
        log = min(max(log, first), last)
        piece = min(bisect_right(knots, log) - 1, end)
        distance, total = log - knots[piece], 0.0
        for coefficient in pieces[piece]:
            total = total * distance + coefficient
        return total

    return term

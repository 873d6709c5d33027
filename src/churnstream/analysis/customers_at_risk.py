"""Customers by their newest predictions and what the events of these say: chosen and sorted."""

from collections.abc import Iterable, Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from churnstream.analysis.customer_fields import CustomerFields
from churnstream.analysis.customer_list import ListedCustomers
from churnstream.schema.record_types import Event


class CustomersAtRisk:
    """Takes customers first, then the events that their predictions speak of, then questions.

    Args:
        names: Of n customers; `risks`, `leaving`, `reasons`, `event_at` and `versions` are of them,
            in the same order, as in `ListedCustomers`.
    """

    def __init__(
        self,
        fields: CustomerFields,
        *,
        names: Sequence[str],
        risks: NDArray[np.float64],
        leaving: NDArray[np.bool_],
        reasons: Sequence[str],
        event_at: NDArray[np.float64],
        versions: Sequence[str],
    ) -> None:
        self._fields, self._names = fields, names
        self._risks, self._leaving, self._event_at = risks, leaving, event_at
        self._reasons, self._versions = reasons, versions
        self._is_known = np.zeros(len(names), dtype=np.bool_)
        self._numbers = [np.full(len(names), np.nan) for _ in fields.numbers]
        self._segments = {
            segment.field: np.full(len(names), "", dtype=object) for segment in fields.segments
        }
        self._texts: dict[str, str] = {}

    @property
    def without_event(self) -> int:
        """Of how many the event is not known, and so neither their worth nor their segments."""
        return int(np.count_nonzero(~self._is_known))

    def note_events(self, rows: Sequence[int], events: Sequence[Event]) -> None:
        """Take note of what the events of customers say.

        Args:
            rows: Which customers, (m,), from 0.
            events: Theirs, (m,).
        """
        said, at = self._fields.read(events), np.asarray(rows, np.intp)
        self._is_known[at] = True
        for column, numbers in zip(self._numbers, said.numbers, strict=True):
            column[at] = numbers
        for names, texts in zip(self._segments.values(), said.segments, strict=True):
            names[at] = [self._texts.setdefault(text, text) for text in texts]

    def listed(
        self, segments: Iterable[tuple[str, str]] = (), top: int | None = None
    ) -> ListedCustomers:
        """Those of some segments, whose loss weighs most first; unknown worths come last.

        Args:
            segments: Fields of `CustomerFields.segments`, and the name of a segment of each.
            top: So many at most; None for all.
        """
        chosen = np.ones(len(self._names), dtype=np.bool_)
        for field, wanted in segments:
            chosen &= self._segments[field] == wanted
        at_risk = self._at_risk()
        rows = self._sorted(np.flatnonzero(chosen).tolist(), at_risk.tolist())[:top]
        return ListedCustomers(
            names=[self._names[row] for row in rows],
            risks=self._risks[rows],
            leaving=self._leaving[rows],
            at_risk=at_risk[rows],
            numbers=[column[rows] for column in self._numbers],
            texts=[self._segments[c.field][rows].tolist() for c in self._fields.texts],
            reasons=[self._reasons[row] for row in rows],
            event_at=self._event_at[rows],
            versions=[self._versions[row] for row in rows],
        )

    def _at_risk(self) -> NDArray[np.float64]:
        is_field = isinstance(self._fields.schema.value, str)
        worth = self._numbers[0] if is_field else np.zeros(len(self._names))
        at_risk: NDArray[np.float64] = self._risks * self._fields.worths(worth)
        return np.where(np.isnan(worth), np.nan, at_risk)

    def _sorted(self, rows: list[int], at_risk: list[float]) -> list[int]:
        risks, names = self._risks.tolist(), self._names

        def rank(row: int) -> tuple[bool, float, float, str]:
            loss = at_risk[row]
            unknown = isnan(loss)
            return unknown, 0.0 if unknown else -loss, -risks[row], names[row]

        return sorted(rows, key=rank)

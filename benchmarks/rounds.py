"""Contestants in turn, again and again, so that the machine's noise hits all alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from statistics import median

import msgspec

from benchmarks.processes import Report

Run = Callable[[], Report]


class Line(msgspec.Struct, frozen=True):
    """One contestant's results, a number a round.

    Attributes:
        rates: Events a second.
        cpu_us: CPU microseconds an event, user and system.
        user_us: The user part of it.
        rss_mb: Resident memory at the end.
        first_s: Seconds from the start of the process to its first predictions.
    """

    name: str
    events: int
    rates: list[float]
    cpu_us: list[float]
    user_us: list[float]
    rss_mb: list[float]
    rejected: int = 0
    first_s: list[float] = []


class Spread(msgspec.Struct, frozen=True):
    """Several runs in three numbers."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of at least one value."""
        return cls(median(values), min(values), max(values))


def rounds(contestants: Mapping[str, Run], repeats: int) -> list[Line]:
    """Run A B C A B C …, and sort the reports by contestant."""
    reports: dict[str, list[Report]] = {name: [] for name in contestants}
    for number in range(1, repeats + 1):
        for name, run in contestants.items():
            report = run()
            reports[name].append(report)
            say(
                f"{number}/{repeats}  {name:<60}{report.rate:>10,.0f}/s{report.cpu_us:>9.2f} µs CPU"
            )
    return [_line(name, found) for name, found in reports.items()]


def _line(name: str, reports: list[Report]) -> Line:
    return Line(
        name,
        events=reports[0].events,
        rates=[report.rate for report in reports],
        cpu_us=[report.cpu_us for report in reports],
        user_us=[report.user / report.events * 1e6 for report in reports],
        rss_mb=[report.rss_kb / 1024 for report in reports],
        rejected=sum(report.rejected for report in reports),
        first_s=[report.first_s for report in reports if report.first],
    )


def say(text: str) -> None:
    """Tell whoever watches how far it is."""
    print(text, file=sys.stderr, flush=True)

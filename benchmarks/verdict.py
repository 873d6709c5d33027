"""What was asked for, held against what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any, NamedTuple

_OURS, _PASS = "churnstream, at least once", "pass-through, at least once"
_EXACT = "churnstream, exactly once"


class Goal(NamedTuple):
    """One line of the table."""

    asked: str
    measured: str
    met: bool


def goals(found: dict[str, Any]) -> Iterable[Goal]:
    """Those whose parts were run."""
    if lines := found.get("throughput"):
        rate, cpu = _medians(lines, "rates"), _medians(lines, "cpu_us")
        yield _least("at least once: of the pass-through's rate", 0.8, rate[_OURS] / rate[_PASS])
        yield _most("its CPU time an event: times the pass-through's", 1.7, cpu[_OURS] / cpu[_PASS])
        for watch in ("metrics served", "dashboard watching"):
            if watched := rate.get(f"{_OURS}, {watch}"):
                yield _least(f"with {watch}: of the rate without", 0.97, watched / rate[_OURS])
        if _EXACT in rate:
            yield _least("exactly once: of at least once", 0.9, rate[_EXACT] / rate[_OURS])
    if lines := found.get("peers"):
        rate = _medians(lines, "rates")
        ours = rate[_OURS]
        yield _least("times Quix Streams without a model", 3, ours / rate["Quix Streams, no model"])
        called = max(rate[name] for name in rate if "per event" in name)
        yield _least("times the faster loop with a model call per event", 300, ours / called)
    if lines := found.get("producer"):
        rate = _medians(lines, "rates")
        mode = rate["churnstream, batch mode"]
        for name in ("transaction per batch", "flush per batch"):
            if other := rate.get(f"ready-made bytes, {name}"):
                yield _least(f"batch mode: of ready-made bytes, {name}", 0.8, mode / other)
    yield from _shapes(found.get("schemas", []))
    yield from _formats(found.get("formats", []))
    yield from _latency(found.get("latency", []))
    yield from _memory(found)


def _shapes(shapes: list[dict[str, Any]]) -> Iterable[Goal]:
    """Held against the bundled customers and a sum of terms, each with as many reasons."""
    for reasons, words in (("none", ""), ("top", ", with reasons")):
        own = [shape for shape in shapes if shape["reasons"] == reasons]
        if not own:
            continue
        first, *others = own
        for other in others:
            name = f"{other['name']}, {other['kind']}{words}"
            if other["name"] == first["name"]:
                cost = median(other["line"]["cpu_us"]) / median(first["line"]["cpu_us"])
                yield _most(f"{name}: times the CPU time of a sum", 1.25, cost)
            else:
                share = bytes_a_second(other) / bytes_a_second(first)
                yield _least(f"{name}: of the bundled customers' rate by byte", 0.8, share)


def _formats(lines: list[dict[str, Any]]) -> Iterable[Goal]:
    """Held against the same customers as plain JSON."""
    asked = {"Debezium, JSON": 0.4, "Avro": 0.5, "Debezium, Avro": 0.45}
    for line in lines[1:]:
        share = of_first(lines, line)
        yield _least(f"{line['name']}: of plain JSON's rate", asked[line["name"]], share)


def of_first(lines: list[dict[str, Any]], line: dict[str, Any]) -> float:
    """A line's rate as a part of the first one's, of each round, and the median of these."""
    pairs = zip(line["rates"], lines[0]["rates"], strict=True)
    return float(median(own / first for own, first in pairs))


def bytes_a_second(shape: dict[str, Any]) -> float:
    """Of the events that were scored."""
    return float(median(shape["line"]["rates"]) * shape["bytes"])


def _latency(lines: list[dict[str, Any]]) -> Iterable[Goal]:
    p99 = {line["name"]: line["p99"] for line in lines if line["rate"] == 1_000}  # noqa: PLR2004
    if _OURS in p99:
        yield _most(
            "p99 at 1,000 a second, at least once: times the pass-through's",
            2,
            p99[_OURS] / p99[_PASS],
        )
    if _EXACT in p99:
        yield _most("p99 at 1,000 a second, exactly once, ms", 100, p99[_EXACT])


def _memory(found: dict[str, Any]) -> Iterable[Goal]:
    if memory := found.get("memory"):
        samples = memory["consumer"]["samples"]
        growth = samples[-1][1] / samples[1][1] - 1
        yield _most("memory: growth from the first tenth to the end, %", 5, growth * 100)
        yield _most("memory, MB", 300, max(kb for _, kb in samples) / 1024)
        yield _most("audit of these events, MB", 1024, memory["audit_peak_kb"] / 1024)
    if start := found.get("startup"):
        yield _most("first prediction, s", 3, start["first_prediction"]["median"])
        yield _most("--help, s", 0.2, start["help"]["median"])


def _medians(lines: list[dict[str, Any]], figure: str) -> dict[str, float]:
    return {line["name"]: median(line[figure]) for line in lines}


def _least(what: str, bound: float, value: float) -> Goal:
    return Goal(f"{what} ≥ {bound:g}", f"{value:.2f}", value >= bound)


def _most(what: str, bound: float, value: float) -> Goal:
    return Goal(f"{what} ≤ {bound:g}", f"{value:.2f}", value <= bound)

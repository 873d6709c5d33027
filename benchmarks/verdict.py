"""What was asked for, held against what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any, NamedTuple

_OURS, _PASS = "churnstream, at least once", "pass-through, at least once"
_EXACT = "churnstream, exactly once"
_GO, _QUIX = "Go: franz-go, sonic", "Quix Streams, tables"
_PEERS = {  # how many times their rates
    _GO: 1.0,
    "Java: plain clients, Jackson": 1.0,
    "Java: Kafka Streams": 1.0,
    "Python by hand: orjson, tables": 1.5,
}

_Lines = dict[str, dict[str, Any]]
"""By contestant, its line."""


class Goal(NamedTuple):
    """One line of the table."""

    asked: str
    measured: str
    met: bool


def goals(found: dict[str, Any]) -> Iterable[Goal]:
    """Those whose parts were run."""
    yield from _throughput(_named(found.get("throughput", [])))
    yield from _peers(_named(found.get("peers", {}).get("lines", [])))
    yield from _producer(_named(found.get("producer", [])))
    yield from _shapes(found.get("schemas", []))
    yield from _formats(found.get("formats", []))
    yield from _latency(found.get("latency", []))
    yield from _memory(found)


def _throughput(lines: _Lines) -> Iterable[Goal]:
    if not lines:
        return
    ours, limit = lines[_OURS], lines[_PASS]
    yield _least("at least once: of the pass-through's rate", 0.8, ratio(ours, limit))
    yield _most(
        "its CPU time an event: times the pass-through's", 1.7, ratio(ours, limit, "cpu_us")
    )
    for watch in ("metrics served", "dashboard watching"):
        if watched := lines.get(f"{_OURS}, {watch}"):
            yield _least(f"with {watch}: of the rate without", 0.97, ratio(watched, ours))
    if explained := lines.get(f"{_OURS}, reasons for the likely churners"):
        yield _least("with reasons: of the rate without", 0.8, ratio(explained, ours))
    if exact := lines.get(_EXACT):
        yield _least("exactly once: of at least once", 0.9, ratio(exact, ours))


def _peers(lines: _Lines) -> Iterable[Goal]:
    """Held against who does the same work with the same guarantee."""
    if ours := lines.get(_EXACT):
        limit = lines["pass-through, exactly once"]
        yield _least("exactly once: of the pass-through's rate", 0.65, ratio(ours, limit))
        cpu = ratio(ours, limit, "cpu_us")
        yield _most("its CPU time an event: times the pass-through's", 1.6, cpu)
        for name, asked in _PEERS.items():
            if peer := lines.get(f"{name}, exactly once"):
                yield _least(f"exactly once: times {name}", asked, ratio(ours, peer))
        if peer := lines.get(f"{_GO}, exactly once"):
            cpu = ratio(ours, peer, "cpu_us")
            yield _most(f"its CPU time an event: times {_GO}", 1, cpu)
    if quix := lines.get(f"{_QUIX}, at least once"):
        yield _least(f"at least once: times {_QUIX}", 3, ratio(lines[_OURS], quix))


def _producer(lines: _Lines) -> Iterable[Goal]:
    if mode := lines.get("churnstream, batch mode"):
        for name in ("transaction per batch", "flush per batch", "no pause"):
            if other := lines.get(f"ready-made bytes, {name}"):
                yield _least(f"batch mode: of ready-made bytes, {name}", 0.8, ratio(mode, other))


def _named(lines: list[dict[str, Any]]) -> _Lines:
    return {line["name"]: line for line in lines}


def ratio(line: dict[str, Any], other: dict[str, Any], figure: str = "rates") -> float:
    """A line's figure as a part of another one's, of each round, and the median of these."""
    pairs = zip(line[figure], other[figure], strict=True)
    return float(median(own / theirs for own, theirs in pairs))


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
        share = ratio(line, lines[0])
        yield _least(f"{line['name']}: of plain JSON's rate", asked[line["name"]], share)


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


def _least(what: str, bound: float, value: float) -> Goal:
    return Goal(f"{what} ≥ {bound:g}", f"{value:.2f}", value >= bound)


def _most(what: str, bound: float, value: float) -> Goal:
    return Goal(f"{what} ≤ {bound:g}", f"{value:.2f}", value <= bound)

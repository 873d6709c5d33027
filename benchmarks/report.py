"""Writes docs/performance.md and its charts: `python -m benchmarks.report`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks import charts
from benchmarks.processes import ROOT
from benchmarks.verdict import Goal, bytes_a_second, goals, of_first

RESULTS = Path(__file__).with_name("results.json")
_PERCENTILES = ("p50", "p99", "p999")
_SPREAD = ("median", "least", "most")
PAGE = ROOT / "docs" / "performance.md"


def main() -> None:
    """Turn the results that are there into the page."""
    if not RESULTS.is_file():
        sys.exit(f"no results at {RESULTS}; run: make bench")
    found: dict[str, Any] = msgspec.json.decode(RESULTS.read_bytes())
    PAGE.write_text(page(found), encoding="utf-8")
    charts.draw(found, PAGE.parent / "performance")


def page(found: dict[str, Any]) -> str:
    """The whole page as Markdown."""
    about = found["about"]
    notes = ROOT / "benchmarks" / "notes.md"
    return "\n".join(
        [
            "# Performance",
            "",
            "<!-- made by `python -m benchmarks.report`; its end is benchmarks/notes.md -->",
            "",
            f"Measured with `make bench` on {about['date']}: {about['broker']}, "
            f"{about['cores']} cores ({about['processor']}), Python {about['python']}, "
            f"confluent-kafka {about['libraries']['confluent-kafka']}. Contestants take turns, "
            f"{about['rounds']} rounds of {about['events']:,} events of 540 bytes in three "
            "partitions; the broker shares the machine with them. Figures are medians, and in "
            "brackets minimum and maximum.",
            "",
            "## Asked and measured",
            "",
            *_table(("asked", "measured", "met"), map(_goal, goals(found))),
            "",
            *_rates(found),
            *_shapes(found.get("schemas", [])),
            *_formats(found.get("formats", [])),
            *_latency(found),
            *_rest(found),
            notes.read_text(encoding="utf-8").rstrip(),
            "",
        ]
    )


def _goal(goal: Goal) -> tuple[str, str, str]:
    return goal.asked, goal.measured, "yes" if goal.met else "**no**"


def _rates(found: dict[str, Any]) -> Iterable[str]:
    yield from (
        "## Events a second, and what each costs",
        "",
        "![rates](performance/rates.svg)",
        "",
    )
    for part, title in (("throughput", "consumer"), ("producer", "producer"), ("peers", "others")):
        if lines := found.get(part):
            yield from _table((title, "events a second", "CPU µs an event"), map(_line, lines))
            yield ""
    yield from (
        "The *pass-through* consumes an event and produces a record of a prediction's size without "
        "looking at it: the same client, settings, polls and commits. CPU is user and system time "
        "of the process, all threads.",
        "",
    )


def _shapes(shapes: Sequence[dict[str, Any]]) -> Iterable[str]:
    if not shapes:
        return
    yield from ("## Customers of other shapes, other kinds of models", "")
    yield from _table(
        ("customers", "model", "reasons", "bytes", "events a second", "CPU µs an event", "MB/s"),
        (
            (
                shape["name"],
                shape["kind"],
                shape["reasons"],
                f"{shape['bytes']:.0f}",
                *_line(shape["line"])[1:],
                f"{bytes_a_second(shape) / 1e6:.0f}",
            )
            for shape in shapes
        ),
    )
    yield ""


def _formats(lines: list[dict[str, Any]]) -> Iterable[str]:
    if not lines:
        return
    yield from ("## The same customers in other formats", "")
    yield from _table(
        ("format", "events a second", "CPU µs an event", "of plain JSON's rate"),
        ((*_line(line), f"{of_first(lines, line):.2f}") for line in lines),
    )
    yield ""


def _line(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["name"], _spread(line["rates"], ",.0f"), _spread(line["cpu_us"], ".2f")


def _spread(values: Sequence[float], form: str) -> str:
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def _latency(found: dict[str, Any]) -> Iterable[str]:
    if lines := found.get("latency"):
        yield from ("## Latency", "", "![latency](performance/latency.svg)", "")
        yield "From an event's own time until a reader of committed records has its prediction, ms:"
        yield ""
        yield from _table(
            ("", "events a second", "p50", "p99", "p99.9"),
            (
                (
                    line["name"],
                    f"{line['rate']:,}",
                    *(f"{line[p]:.1f}" for p in ("p50", "p99", "p999")),
                )
                for line in lines
            ),
        )
        yield ""


def _rest(found: dict[str, Any]) -> Iterable[str]:
    yield from ("## Start, memory, more of everything", "")
    if start := found.get("startup"):
        yield from _table(
            ("seconds", "median", "min", "max"),
            (
                (
                    name.replace("_", " "),
                    *(f"{start[name][k]:.2f}" for k in ("median", "least", "most")),
                )
                for name in ("first_prediction", "joining", "help")
            ),
        )
        yield ""
    if memory := found.get("memory"):
        samples = memory["consumer"]["samples"]
        yield from ("![memory](performance/memory.svg)", "")
        first, last = (samples[at][1] / 1024 for at in (1, -1))
        yield (
            f"Over {samples[-1][0]:,} events the consumer held {first:,.0f} MB after the first "
            f"tenth and {last:,.0f} MB at the end. The audit of {memory['audit_events']:,} events "
            f"held {memory['audit_peak_kb'] / 1024:,.0f} MB at most."
        )
        yield ""
    if held := found.get("streaming"):
        yield from _table(
            ("streaming producer, asked a second", "sent", "CPU µs an event"),
            ((f"{h['asked']:,}", f"{h['sent']:,.0f}", f"{h['cpu_us']:.1f}") for h in held),
        )
        yield ""
    if scaling := found.get("scaling"):
        yield from _table(
            ("processes in the group", "events a second together", "CPU µs an event"),
            (
                (str(s["processes"]), f"{s['rate']['median']:,.0f}", f"{s['cpu_us']['median']:.2f}")
                for s in scaling
            ),
        )
        yield ""
    if growth := found.get("growth"):
        yield from _table(("growth", "events a second", "CPU µs an event"), map(_line, growth))
        yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(['---', *['---:'] * (len(head) - 1)])} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    main()

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
from benchmarks.verdict import Goal, bytes_a_second, goals, ratio

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
    notes = ROOT / "benchmarks" / "notes.md"
    return "\n".join(
        [
            "# Performance",
            "",
            "<!-- made by `python -m benchmarks.report`; its end is benchmarks/notes.md -->",
            "",
            "Contestants take turns with events of 540 bytes in three partitions; the broker "
            "shares the machine with them. Figures are medians, and in brackets minimum and "
            "maximum. A ratio is that of each round, and the median of these.",
            "",
            *_measured(found["about"]),
            "",
            "## Asked and measured",
            "",
            *_table(("asked", "measured", "met"), map(_goal, goals(found))),
            "",
            *_short(found),
            *_peers(found.get("peers")),
            *_rates(found),
            *_shapes(found.get("schemas", [])),
            *_formats(found.get("formats", [])),
            *_latency(found),
            *_rest(found),
            notes.read_text(encoding="utf-8").rstrip(),
            "",
        ]
    )


def _short(found: dict[str, Any]) -> Iterable[str]:
    """What was asked for and is not reached, said plainly."""
    if missed := [goal for goal in goals(found) if not goal.met]:
        yield from ("## What falls short", "")
        yield from (f"- {goal.asked}: {goal.measured}" for goal in missed)
        yield ""


def _measured(abouts: dict[str, dict[str, Any]]) -> Iterable[str]:
    """A line for all parts that were measured in one run."""
    runs: dict[str, list[str]] = {}
    for part, about in abouts.items():
        libraries = about["libraries"]
        told = (
            f"{about['date']}: {about['broker']}, {about['cores']} cores ({about['processor']}), "
            f"Python {about['python']} built {about['python_built']}, confluent-kafka "
            f"{libraries['confluent-kafka']}, {about['events']:,} events a round"
        )
        runs.setdefault(told, []).append(part)
    for told, parts in runs.items():
        yield f"- {', '.join(parts)} on {told}"


def _peers(peers: dict[str, Any] | None) -> Iterable[str]:
    """Each with churnstream of the same guarantee."""
    yield from ("## The same work by other means", "")
    if not peers:
        yield from ("Not among these results: `make bench` measures it.", "")
        return
    lines = {line["name"]: line for line in peers["lines"]}
    head = ("", "events a second", "CPU µs an event", "rate", "CPU", "RSS MB", "first s")
    yield from (
        "![rates](performance/rates.svg)",
        "",
        *_table(head, (_peer(line, lines) for line in lines.values())),
        "",
        "*Rate* and *CPU* are times churnstream's with the same guarantee; *first* are the seconds "
        "from the start of the process to its first predictions. All read the same events, score "
        "them by the same exported model (a sum of terms), and write the same predictions, which "
        "are read back and compared: every customer's probability within 1e-9. The *pass-through* "
        "is the limit: it consumes an event and produces a record of a prediction's size without "
        "looking at it. The peers check no repeated fields or keys, and have no dead letters, "
        "reasons, summaries or change of the model. Each virtual machine ran over the topic "
        f"for {peers['warm_seconds']:g} s before it was measured. Not built: Rust, C, Spark, "
        "Bytewax, Benthos and Faust.",
        "",
    )
    if left_out := peers["left_out"]:
        yield from ("Left out where this was measured:", "", *(f"- {w}" for w in left_out), "")


def _peer(line: dict[str, Any], lines: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    ours = lines[f"churnstream, {line['name'].rpartition(', ')[2]}"]
    return (
        *_line(line),
        *(f"{ratio(line, ours, figure):.2f}" for figure in ("rates", "cpu_us")),
        f"{median(line['rss_mb']):.0f}",
        f"{median(line['first_s']):.1f}",
    )


def _goal(goal: Goal) -> tuple[str, str, str]:
    return goal.asked, goal.measured, "yes" if goal.met else "**no**"


def _rates(found: dict[str, Any]) -> Iterable[str]:
    yield from (
        "## Events a second, and what each costs",
        "",
    )
    for part, title in (("throughput", "consumer"), ("producer", "producer")):
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
        ((*_line(line), f"{ratio(line, lines[0]):.2f}") for line in lines),
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

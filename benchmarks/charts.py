"""The charts of docs/performance.md."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

OURS, OTHERS = "#2f5bd0", "#9aa5b8"
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "churnstream",
}


def draw(found: dict[str, Any], folder: Path) -> None:
    """One SVG for each part that was run."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        lines = found.get("peers", {}).get("lines") or found.get("throughput")
        if lines:
            save(_rates(lines), folder / "rates.svg")
        if lines := found.get("latency"):
            save(_latency(lines), folder / "latency.svg")
        if memory := found.get("memory"):
            save(_memory(memory["consumer"]["samples"]), folder / "memory.svg")


def save(figure: Figure, path: Path) -> None:
    """Write a chart that is the same whenever it is drawn."""
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def _rates(lines: list[dict[str, Any]]) -> Figure:
    """A bar a contestant, with the spread of the rounds."""
    lines = lines[::-1]  # bars are drawn from below
    names = [line["name"] for line in lines]
    rates = [median(line["rates"]) for line in lines]
    low = [rate - min(line["rates"]) for rate, line in zip(rates, lines, strict=True)]
    high = [max(line["rates"]) - rate for rate, line in zip(rates, lines, strict=True)]
    colors = [OURS if name.startswith("churnstream") else OTHERS for name in names]
    figure = Figure(figsize=(8, 0.42 * len(names) + 0.8))
    axes = figure.subplots()
    bars = axes.barh(names, rates, color=colors, xerr=(low, high), ecolor="#555", capsize=2)
    axes.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=4)
    axes.set_xlim(right=1.15 * max(max(line["rates"]) for line in lines))
    axes.set_xlabel("events a second")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def _latency(lines: list[dict[str, Any]]) -> Figure:
    """P99 by rate, a line a contestant."""
    figure = Figure(figsize=(7, 3.6))
    axes = figure.subplots()
    for name in dict.fromkeys(line["name"] for line in lines):
        own = [line for line in lines if line["name"] == name]
        if len(own) > 1:
            ours = name.startswith("churnstream")
            axes.plot(
                [line["rate"] for line in own],
                [line["p99"] for line in own],
                marker="o",
                color=OURS if ours else OTHERS,
                linestyle="--" if "at least" in name else "-",
                label=name,
            )
    axes.set(xscale="log", xlabel="events a second", ylabel="p99, milliseconds")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _memory(samples: list[list[int]]) -> Figure:
    """Resident memory along the run."""
    figure = Figure(figsize=(7, 2.8))
    axes = figure.subplots()
    axes.plot(
        [events / 1e6 for events, _ in samples],
        [kb / 1024 for _, kb in samples],
        marker="o",
        color=OURS,
    )
    axes.set(xlabel="million events", ylabel="resident memory, MB")
    axes.set_ylim(bottom=0)
    return figure

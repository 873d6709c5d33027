"""How many consumers, and what a restart costs: a simulation, `python -m benchmarks.sizing`.

A fluid model on the figures of results.json, not a measurement: events arrive evenly, each process
scores at its measured rate, and brokers and network are no limit. A partition that changes hands
stands still for a while. What stands in docs/sizing.md between its marks is written anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.charts import OTHERS, OURS, STYLE, save
from benchmarks.processes import ROOT
from benchmarks.report import RESULTS

PAGE = ROOT / "docs" / "sizing.md"
PARTITIONS = 200
LOAD = 0.6  # of what the processes can score together
CONSUMERS = (1, 2, 3, 5, 10, 20, 50, 100, 150, 200)
_CHARTED = sorted({*CONSUMERS, *range(4, 20, 2), *range(20, PARTITIONS, 10)})
_STEP = 0.1  # seconds
_HEARTBEAT = 1.0  # seconds: our default, after which the others hear of a change
_SESSION = 6.0  # seconds: our default, after which the broker takes a process for dead
_SETTLED = 10.0  # seconds between two restarts of a roll-out

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Measured(NamedTuple):
    """What the simulation takes from results.json.

    Attributes:
        rate: Events a second of one process, exactly once.
        pause: Seconds for which a partition that changes hands stands still.
        start: Seconds from the start of a process to its first prediction.
        memory: Bytes of one process.
    """

    rate: float
    pause: float
    start: float
    memory: float


class Group(NamedTuple):
    """The partitions of a topic: who has them, how much waits in them, until when they stand still.

    Attributes:
        owner: The process of each partition, (p,); -1 for none.
        backlog: Events that wait, (p,).
        free_at: When each is read again, (p,), seconds.
    """

    owner: Ints
    backlog: Floats
    free_at: Floats


Change = tuple[float, Callable[[Group, NDArray[np.bool_], int, float], None], int]
"""When something happens, what, and to which process."""


class Outcome(NamedTuple):
    """What a number of processes comes to.

    Attributes:
        capacity: Events a second that the group scores when nothing happens.
        rolled: Largest delay of an event while each process is restarted in turn, seconds.
        killed: The same after the death of one, which is started again.
        caught_up: Seconds from that death until nothing waits any more.
    """

    consumers: int
    capacity: float
    rolled: float
    killed: float
    caught_up: float


def measured(found: dict[str, Any]) -> Measured:
    """The figures of results.json that count here."""
    lines = {line["name"]: line["rates"] for line in found["throughput"]}
    samples = [kb for _, kb in found["memory"]["consumer"]["samples"]]
    return Measured(
        rate=float(np.median(lines["churnstream, exactly once"])),
        pause=_HEARTBEAT + found["startup"]["joining"]["most"],
        start=found["startup"]["first_prediction"]["most"],
        memory=max(samples) * 1024,
    )


def outcome(consumers: int, figures: Measured, partitions: int = PARTITIONS) -> Outcome:
    """Simulate a group under `LOAD` through a roll-out, and through the death of one process."""
    shares = np.bincount(np.arange(partitions) % consumers, minlength=consumers)
    capacity = figures.rate * partitions / shares.max()  # the busiest process is the limit
    arriving = LOAD * capacity / partitions
    every = figures.start + figures.pause + _SETTLED
    group = np.arange(partitions) % consumers
    roll_out = [change for n in range(consumers) for change in _absence(n, n * every, 0, figures)]
    rolled, _ = _run(group, arriving, figures, roll_out)
    killed, caught_up = _run(group, arriving, figures, _absence(0, 0, _SESSION, figures))
    return Outcome(consumers, capacity, rolled, killed, caught_up)


def _absence(process: int, at: float, noticed: float, figures: Measured) -> list[Change]:
    """A process goes and is started again at once; the others hear of it after a while."""
    back = at + max(noticed, figures.start)
    return [(at, _goes, process), (at + noticed, _is_missed, process), (back, _joins, process)]


def _run(
    owner: Ints, arriving: float, figures: Measured, changes: Sequence[Change]
) -> tuple[float, float]:
    """The largest delay, and the time at which nothing waits any more.

    Args:
        owner: The process of each partition at the beginning, (p,).
        arriving: Events a second in each partition.
    """
    group = Group(owner.copy(), np.zeros(len(owner)), np.zeros(len(owner)))
    here = np.ones(int(owner.max()) + 1, bool)
    events = [*changes]
    now, worst = 0.0, 0.0
    while True:
        while events and events[0][0] <= now:
            _, apply, process = events.pop(0)
            here[process] = apply is _joins
            apply(group, here, process, now + figures.pause)
        group.backlog[:] += arriving * _STEP
        _score(group, here, now, figures.rate * _STEP)
        worst = max(worst, float(group.backlog.max()) / arriving)
        now += _STEP
        if not events and now > float(group.free_at.max()) and group.backlog.max() < 1:
            return worst, now


def _goes(group: Group, here: NDArray[np.bool_], process: int, free_at: float) -> None:
    """Nobody reads its partitions."""


def _is_missed(group: Group, here: NDArray[np.bool_], process: int, free_at: float) -> None:
    """Its partitions go to those who have the fewest; if there is nobody, they wait for it."""
    for partition in np.flatnonzero(group.owner == process):
        counts = np.bincount(group.owner[group.owner >= 0], minlength=len(here))
        if here.any():
            group.owner[partition] = int(np.where(here, counts, len(group.owner) + 1).argmin())
            group.free_at[partition] = free_at


def _joins(group: Group, here: NDArray[np.bool_], process: int, free_at: float) -> None:
    """It gets its share from those who have the most; all others keep what they have."""
    mine = np.flatnonzero(group.owner == process)
    group.free_at[mine] = free_at
    for _ in range(len(group.owner) // int(here.sum()) - len(mine)):
        most = int(np.bincount(group.owner, minlength=len(here)).argmax())
        partition = np.flatnonzero(group.owner == most)[-1]
        group.owner[partition], group.free_at[partition] = process, free_at


def _score(group: Group, here: NDArray[np.bool_], now: float, each: float) -> None:
    """One step: each process shares its time among what waits in its partitions."""
    is_read = here[group.owner] & (group.free_at <= now)
    waiting = np.where(is_read, group.backlog, 0.0)
    of_owner = np.bincount(group.owner, waiting, len(here))[group.owner]
    share = np.divide(each, of_owner, out=np.zeros_like(waiting), where=of_owner > 0)
    group.backlog[:] -= waiting * np.minimum(share, 1.0)


def table(outcomes: Sequence[Outcome], figures: Measured) -> str:
    """The outcomes as a table of Markdown."""
    head = (
        "processes",
        "events a second",
        "memory, GB",
        "delay in a roll-out, s",
        "delay after a death, s",
        "caught up after, s",
    )
    rows = [
        (
            f"{one.consumers}",
            f"{one.capacity:,.0f}",
            f"{one.consumers * figures.memory / 1e9:.1f}",
            f"{one.rolled:.1f}",
            f"{one.killed:.0f}",
            f"{one.caught_up:.0f}",
        )
        for one in outcomes
    ]
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _chart(outcomes: Sequence[Outcome], rate: float) -> Figure:
    figure = Figure(figsize=(8, 3))
    left, right = figure.subplots(1, 2)
    consumers = [one.consumers for one in outcomes]
    left.plot(consumers, [one.capacity / 1e6 for one in outcomes], color=OURS, label="simulated")
    left.plot(
        consumers,
        [n * rate / 1e6 for n in consumers],
        color=OTHERS,
        ls=":",
        label="one, times as many",
    )
    left.set_ylabel("million events a second")
    caught_up = [one.caught_up for one in outcomes]
    right.plot(consumers, caught_up, color=OTHERS, ls=":", label="death: until caught up")
    right.plot(consumers, [one.killed for one in outcomes], color=OTHERS, label="death: delay")
    right.plot(consumers, [one.rolled for one in outcomes], color=OURS, label="roll-out: delay")
    right.set_ylabel("seconds")
    for axes in (left, right):
        axes.set_xlabel(f"processes, {PARTITIONS} partitions")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def with_table(page: str, made: str) -> str:
    """The page with another table between its marks."""
    mark = "<!-- {} -->\n"
    begin, end = mark.format("made by make sizing"), mark.format("to here")
    return re.sub(f"(?s){begin}.*{end}", lambda _: f"{begin}\n{made}\n\n{end}", page)


def main() -> None:
    """Write the table and the chart of docs/sizing.md."""
    figures = measured(msgspec.json.decode(RESULTS.read_bytes()))
    outcomes = [outcome(consumers, figures) for consumers in _CHARTED]
    shown = [one for one in outcomes if one.consumers in CONSUMERS]
    PAGE.write_text(with_table(PAGE.read_text(), table(shown, figures)))
    with mpl.rc_context(STYLE):
        save(_chart(outcomes, figures.rate), PAGE.parent / "performance" / "sizing.svg")


if __name__ == "__main__":
    main()

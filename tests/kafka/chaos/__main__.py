"""Runs the scenarios and prints what was lost, what is there twice, and for how long it stood.

The outages are the median and the worst of all faults of a kind.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import FrameType

from cluster import Cluster
from rich.console import Console
from rich.table import Table

from chaos.catalogue import SCENARIOS
from chaos.customers import Customers, customers_of
from chaos.flow import train
from chaos.judge import Outcome

_WIDTH_OF_A_PIPE = 132
_STARTING, _A_FAULT = 120, 90  # seconds that a scenario may take, and each of its faults

log = Console(stderr=True, highlight=False)


def main() -> int:
    """Run what the command line asks for; 0 if every scenario is clean."""
    options = _arguments().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("chaos: ended by SIGTERM"))
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="churnstream-chaos-"))
    log.print(f"seed {options.seed}; what the processes write is in {folder}")
    found = _run(options, folder)
    output = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)
    output.print(_table(found))
    for number, outcome in found.items():
        for note in _notes(outcome):
            output.print(f"{number}. {note}", markup=False)
    minutes = (time.monotonic() - began) / 60
    output.print(f"seed {options.seed} (again: --seed {options.seed}), {minutes:.1f} minutes")
    is_clean = all(outcome is not None and outcome.is_clean for outcome in found.values())
    if is_clean:
        shutil.rmtree(folder)
    return 0 if is_clean else 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="repeats a run")
    parser.add_argument("--only", type=_numbers, default=list(SCENARIOS), help="as 1,3,5")
    parser.add_argument(
        "--schema", type=Path, help="customers.yaml of others than the bundled customers"
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="few faults, a few minutes")
    sizes.add_argument("--faults", type=int, help="so many of each kind")
    return parser


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if unknown := set(numbers) - set(SCENARIOS):
        raise argparse.ArgumentTypeError(f"no scenario {unknown}, only {list(SCENARIOS)}")
    return numbers


def _run(options: argparse.Namespace, folder: Path) -> dict[int, Outcome | None]:
    """Run the scenarios, those for one broker before those for three; None for a failed one."""
    customers = customers_of(options.schema) if options.schema else customers_of()
    model = train(folder, customers)
    found: dict[int, Outcome | None] = {}
    for nodes in (1, 3):
        numbers = [number for number in options.only if SCENARIOS[number].nodes == nodes]
        if numbers:
            with Cluster(nodes=nodes) as cluster:
                for number in numbers:
                    found[number] = _play(number, cluster, folder, model, customers, options)
                    cluster.heal()
    return dict(sorted(found.items()))


def _play(
    number: int,
    cluster: Cluster,
    folder: Path,
    model: Path,
    customers: Customers,
    options: argparse.Namespace,
) -> Outcome | None:
    scenario = SCENARIOS[number]
    faults = options.faults or (scenario.quick if options.quick else scenario.full)
    log.print(f"{number}. {scenario.title} …", end=" ")
    began = time.monotonic()
    try:
        with _time_limit(_STARTING + _A_FAULT * faults):
            return scenario.run(
                cluster,
                f"chaos-{number}",
                seed=options.seed,
                faults=faults,
                folder=folder / str(number),
                model=model,
                customers=customers,
            )
    except Exception:  # whatever it is, the other scenarios still have something to say
        log.print(traceback.format_exc(), markup=False)
        return None
    finally:
        log.print(f"{time.monotonic() - began:.0f} s")


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the middle of whatever takes longer."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done within {seconds} s")

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _table(found: Mapping[int, Outcome | None]) -> Table:
    table = Table("scenario", box=None, header_style="bold", pad_edge=False)
    for title in ("events", "faults", "lost", "duplicated", "dead letters", "outage", "worst"):
        table.add_column(title, justify="right")
    for number, outcome in found.items():
        name = f"{number}. {SCENARIOS[number].title}"
        table.add_row(name, *(_cells(outcome) if outcome else ["failed"]))
    return table


def _cells(outcome: Outcome) -> list[str]:
    counts = (outcome.events, outcome.kills, outcome.lost, outcome.duplicated)
    dead_letters = f"{outcome.dead_letters_expected:,}/{outcome.dead_letters_found:,}"
    outages = (median(outcome.outages), max(outcome.outages))
    cells = [*(f"{count:,}" for count in counts), dead_letters]
    return [*cells, *(f"{seconds:.1f} s" for seconds in outages)]


def _notes(outcome: Outcome | None) -> list[str]:
    """What the columns have no room for."""
    if outcome is None:
        return ["did not come to its end, see above"]
    counts = {"orphaned": outcome.orphaned, "in flight": outcome.in_flight}
    faults = [f"{count} {name}" for name, count in counts.items() if count]
    return [*faults, *outcome.problems, *filter(None, [outcome.remark])]


if __name__ == "__main__":
    sys.exit(main())

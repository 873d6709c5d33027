"""The simulation of docs/sizing.md: what holds of any group, and a page that is up to date."""

import msgspec
import pytest
from benchmarks.report import RESULTS
from benchmarks.sizing import LOAD, PAGE, Measured, measured, outcome, table, with_table

FIGURES = Measured(rate=1000.0, pause=3.0, start=1.0, memory=1e8)


def test_the_busiest_process_is_the_limit() -> None:
    """Partitions that do not divide evenly waste processes."""
    capacities = [outcome(n, FIGURES, partitions=12).capacity for n in (1, 5, 6, 7, 12)]

    assert capacities == [1000, 4000, 6000, 6000, 12_000]


def test_a_lone_process_waits_for_itself() -> None:
    """While it is away nobody scores, and then it needs as long as the load leaves it."""
    found = outcome(1, FIGURES, partitions=12)

    assert found.rolled == pytest.approx(1 + 3, abs=0.3)
    assert found.killed == pytest.approx(6 + 3, abs=0.3)
    assert found.caught_up == pytest.approx(9 / (1 - LOAD), abs=1)


@pytest.mark.parametrize("consumers", [2, 3, 5, 12])
def test_a_group_catches_up_sooner(consumers: int) -> None:
    """The others share what waits; a partition stands still as long as with one process."""
    one, many = outcome(1, FIGURES, partitions=12), outcome(consumers, FIGURES, partitions=12)

    assert many.caught_up <= one.caught_up + 1
    assert many.killed == pytest.approx(one.killed, abs=0.3)


def test_the_page_has_the_figures_that_were_measured() -> None:
    """Whoever measures anew runs `make sizing` as well; looked at are the smaller groups."""
    figures = measured(msgspec.json.decode(RESULTS.read_bytes()))
    shown = PAGE.read_text()

    assert with_table(shown, "| x |") != shown
    for line in table([outcome(n, figures) for n in (1, 2, 10)], figures).splitlines():
        assert line in shown

"""The population stability index, and when a window is too small for it."""

import math
from pathlib import Path

import numpy as np
import pytest

from churnstream.analysis import DRIFT_THRESHOLD
from churnstream.analysis.feature_drift import drift


def test_the_index_of_two_distributions() -> None:
    """By hand: (0.5 - 0.25) ln(0.5 / 0.25) for the one bin, and the same for the other."""
    million = 1_000_000
    found = drift(
        {"Contract": {"a": million, "b": 3 * million}},
        {"Contract": {"a": million, "b": million}},
        threshold=0.2,
    )

    (contract,) = found.measured
    expected = 0.25 * math.log(0.5 / 0.25) - 0.25 * math.log(0.5 / 0.75)
    assert contract.psi == pytest.approx(expected, rel=1e-5)
    assert found.drifted == ["Contract"]
    assert (found.training_events, found.events) == (4 * million, 2 * million)


def test_equal_shares_have_an_index_of_nothing() -> None:
    """However many events there are, the same shares are no drift."""
    found = drift({"Contract": {"a": 3000, "b": 7000}}, {"Contract": {"a": 300, "b": 700}}, 0.2)

    assert found.measured[0].psi == pytest.approx(0, abs=1e-6)
    assert found.drifted == []


def test_an_empty_bin_is_not_infinite() -> None:
    """A category that vanished, and one that training did not have, count half an event."""
    found = drift({"Contract": {"a": 500, "b": 500}}, {"Contract": {"a": 500, "c": 500}}, 0.2)

    (contract,) = found.measured
    share, half = 500.5 / 1001.5, 0.5 / 1001.5
    assert contract.psi == pytest.approx(2 * (share - half) * math.log(share / half))
    assert [shift.values for shift in contract.bins] == ["a", "b", "c"]
    assert [shift.in_training for shift in contract.bins] == [0.5, 0.5, 0]
    assert contract.largest.values in ("b", "c")


def test_the_largest_index_comes_first() -> None:
    """What drifted most is read first, with the bin that moved most."""
    found = drift(
        {"still": {"a": 500, "b": 500}, "moved": {"a": 100, "b": 500, "c": 400}},
        {"still": {"a": 500, "b": 500}, "moved": {"a": 100, "b": 100, "c": 800}},
        threshold=0.2,
    )

    assert [one.name for one in found.measured] == ["moved", "still"]
    assert found.drifted == ["moved"]
    assert found.measured[0].largest.values == "b"


def test_the_threshold_itself_is_no_drift() -> None:
    """Only an index above the threshold counts."""
    training, window = {"x": {"a": 500, "b": 500}}, {"x": {"a": 400, "b": 600}}
    psi = drift(training, window, 1).measured[0].psi

    assert drift(training, window, psi).drifted == []
    assert drift(training, window, math.nextafter(psi, 0)).drifted == ["x"]


@pytest.mark.parametrize("events", [200, 2000])
def test_chance_rarely_exceeds_the_noise(events: int) -> None:
    """Of windows without drift, one in a thousand at most has an index above its noise."""
    random = np.random.default_rng(42)
    names = [f"feature {number}" for number in range(5)]

    def sample(size: int) -> dict[str, dict[str, int]]:
        counts = random.multinomial(size, [0.1] * 10, size=len(names)).tolist()
        bins = [dict(zip("abcdefghij", row, strict=True)) for row in counts]
        return dict(zip(names, bins, strict=True))

    windows = [drift(sample(5000), sample(events), 0.2) for _ in range(1000)]
    exceeded = [any(one.psi > one.noise for one in window.measured) for window in windows]
    assert sum(exceeded) <= 5
    assert windows[0].noise == pytest.approx(33.7 * (1 / events + 1 / 5000), rel=0.1)


def test_the_alert_and_the_dags_know_the_threshold() -> None:
    """It stands outside the package twice."""
    root = Path(__file__).parents[2]
    alerts = (root / "monitoring" / "alerts.yml").read_text()
    tasks = (root / "dags" / "churnstream_tasks.py").read_text()
    assert f"(churnstream_drift_index) > {DRIFT_THRESHOLD}\n" in alerts
    assert f'"drift_threshold": Param(\n        {DRIFT_THRESHOLD},' in tasks

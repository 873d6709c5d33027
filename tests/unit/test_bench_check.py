"""The quick benchmark's verdict."""

from benchmarks.check import RATIOS, slips
from benchmarks.rounds import Line


def _line(name: str, rate: float) -> Line:
    return Line(name, 1, rates=[rate], cpu_us=[1.0], user_us=[1.0], rss_mb=[1.0])


def _found(share: float) -> dict[str, list[Line]]:
    ratio = RATIOS[0]
    return {ratio.part: [_line(ratio.other, 100_000), _line(ratio.ours, share * 100_000)]}


def test_a_slip_is_told() -> None:
    """A consumer at just under the floor is named, with what was measured."""
    (told,) = slips(_found(RATIOS[0].floor - 0.01))
    assert "0.24 of pass-through, at least once" in told


def test_the_floor_itself_is_no_slip() -> None:
    """At the floor nothing is told, and what did not run is not judged."""
    assert slips(_found(RATIOS[0].floor)) == []
    assert slips({}) == []

"""What the benchmark keeps of its results, and the page made of them."""

import msgspec
from benchmarks.report import PAGE, RESULTS, page
from benchmarks.verdict import goals, ratio


def test_the_page_is_made_of_the_results() -> None:
    """The page of figures is what the results and the notes make of it."""
    found = msgspec.json.decode(RESULTS.read_bytes())
    assert PAGE.read_text(encoding="utf-8") == page(found)


def test_every_part_says_what_it_was_measured_on() -> None:
    """A part of the results has its own date, broker and machine."""
    found = msgspec.json.decode(RESULTS.read_bytes())
    assert found.keys() - {"about"} == found["about"].keys()


def test_a_ratio_is_that_of_the_rounds() -> None:
    """A round that was slow for both does not move the ratio."""
    ours, other = {"rates": [50.0, 5.0, 60.0]}, {"rates": [100.0, 10.0, 120.0]}
    assert ratio(ours, other) == 0.5


def test_a_goal_is_held_against_the_same_guarantee() -> None:
    """Exactly once is compared with others that are exactly once, at least once with its like."""
    slow, fast = _line(100.0), _line(200.0)
    lines = [
        _line(100.0) | {"name": "churnstream, exactly once"},
        slow | {"name": "pass-through, exactly once"},
        fast | {"name": "Go: franz-go, sonic, exactly once"},
        _line(1.0) | {"name": "Go: franz-go, sonic, at least once"},
    ]
    found = {goal.asked: goal for goal in goals({"peers": {"lines": lines}})}
    go = found["exactly once: times Go: franz-go, sonic ≥ 1"]
    assert (go.measured, go.met) == ("0.50", False)


def _line(rate: float) -> dict[str, object]:
    return {"rates": [rate], "cpu_us": [1.0]}

"""How long events waited, as `make chaos` counts it."""

import pytest
from chaos.outages import longest_outage, outages
from chaos.watch import Answer, Event, Position


def flow(*times: tuple[int, int, int]) -> tuple[list[Event], list[Answer]]:
    """Events and their predictions: partition, and the seconds at which both were made."""
    places = [Position(partition, number) for number, (partition, _, _) in enumerate(times)]
    pairs = list(zip(places, times, strict=True))
    events = [Event(place, 1000 * came, None) for place, (_, came, _) in pairs]
    return events, [Answer(place, 1000 * made) for place, (_, _, made) in pairs]


# One event a second; those of 3 to 11 are predicted together at 12.
STANDSTILL = [(0, at, at) for at in (1, 2)] + [(0, at, 12) for at in range(3, 12)] + [(0, 13, 13)]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        pytest.param([2.5], [9.0], id="kill: from the first event that waits"),
        pytest.param([7.0], [5.0], id="return of a broker: what came before is not counted"),
        pytest.param([2.5, 20.0], [9.0, 0.0], id="nothing waited after the second"),
        pytest.param([0.5, 4.0], [0.0, 8.0], id="the wait belongs to the fault within it"),
        pytest.param([14.0], [0.0], id="a wait before every fault is nobody's"),
        pytest.param([4.0, 5.0], [8.0, 0.0], id="of two faults within it to the first"),
    ],
)
def test_each_fault_has_the_longest_wait_after_it(
    faults: list[float], expected: list[float]
) -> None:
    """From the fault, or from the first event that waits, to the next prediction."""
    assert outages(*flow(*STANDSTILL), faults) == expected


def test_one_partition_that_stands_still_is_an_outage() -> None:
    """However lively the others are."""
    lively = [(1, at, at) for at in range(1, 14)]

    assert outages(*flow(*STANDSTILL, *lively), [2.0]) == [9.0]
    assert longest_outage(*flow(*STANDSTILL, *lively)) == 9.0


def test_a_pause_without_events_is_no_outage() -> None:
    """Nothing waited."""
    assert outages(*flow((0, 1, 1), (0, 60, 60)), [1.0]) == [0.0]

"""How outcomes are counted, against counting them one by one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnstream.pipeline.outcome_ledger import Audit, OutcomeLedger

PLACE = st.tuples(st.integers(0, 2), st.integers(0, 12))


def audited(
    events: list[tuple[int, int]],
    predictions: list[tuple[int, int] | None],
    dead_letters: list[tuple[int, int] | None] | None = None,
    committed: dict[int, int] | None = None,
    *,
    end: int = 10,
    last: int | None = None,
) -> Audit:
    """The verdict on one partition of `end` offsets."""
    ledger = OutcomeLedger({0: 0}, {0: end}, {0: end if last is None else last})
    ledger.add_events(events)
    ledger.add_predictions(predictions)
    ledger.add_dead_letters(dead_letters or [])
    return ledger.verdict(committed or {})


def test_one_outcome_for_each_event_is_complete() -> None:
    """Predictions and dead letters are outcomes alike; offsets without an event need none."""
    verdict = audited([(0, 0), (0, 1), (0, 5)], [(0, 0), (0, 5)], [(0, 1)], {0: 6})

    assert (verdict.exactly_once, verdict.complete, verdict.events) == (True, True, 3)
    (row,) = verdict.partitions
    assert (row.predictions, row.dead_letters) == (2, 1)


def test_an_event_without_an_outcome_is_lost_before_the_committed_offset() -> None:
    """From the committed offset on it is in flight, and that is no fault."""
    verdict = audited([(0, 3), (0, 4)], [], [], {0: 4})

    assert (verdict.lost, verdict.in_flight) == (1, 1)
    assert (verdict.exactly_once, verdict.complete) == (False, False)
    assert verdict.partitions[0].examples["lost"] == [3]


def test_without_a_committed_offset_nothing_is_lost() -> None:
    """A group that has not begun yet has all of its work before it."""
    verdict = audited([(0, 0), (0, 1)], [])

    assert (verdict.exactly_once, verdict.complete, verdict.in_flight) == (True, False, 2)


@pytest.mark.parametrize(
    ("predictions", "dead_letters"),
    [([(0, 2)] * 2, []), ([], [(0, 2)] * 2), ([(0, 2)], [(0, 2)])],
    ids=["predictions", "dead letters", "one of each"],
)
def test_a_second_outcome_is_a_duplicate(
    predictions: list[tuple[int, int] | None], dead_letters: list[tuple[int, int] | None]
) -> None:
    """Of whichever kind the two are."""
    verdict = audited([(0, 2)], predictions, dead_letters, {0: 3})

    assert (verdict.duplicated, verdict.exactly_once) == (1, False)
    assert verdict.partitions[0].examples["duplicated"] == [2]


@pytest.mark.parametrize("source", [(0, 7), (0, 10), (0, 2**63 - 1), (5, 0)])
def test_an_outcome_of_no_event_is_an_orphan(source: tuple[int, int]) -> None:
    """Whether its offset holds none, lies behind the end, or its partition does not exist."""
    verdict = audited([(0, 0)], [(0, 0), source], [], {0: 10})

    assert (verdict.orphaned, verdict.exactly_once) == (1, False)
    assert verdict.partitions[-1].examples["orphaned"] == [source[1]]


def test_outcomes_outside_the_window_do_not_count() -> None:
    """Those before it, and those behind it that the topic has events for."""
    ledger = OutcomeLedger({0: 4}, {0: 6}, {0: 20})
    ledger.add_events([(0, 4), (0, 5)])
    ledger.add_predictions([(0, offset) for offset in range(20)])

    verdict = ledger.verdict({0: 20})

    assert (verdict.complete, verdict.events, verdict.orphaned) == (True, 2, 0)


def test_records_of_others_are_counted_and_nothing_else() -> None:
    """None stands for a record that is no outcome of ours."""
    verdict = audited([(0, 0)], [(0, 0), None], [None], {0: 1})

    assert (verdict.complete, verdict.foreign) == (True, 2)


def test_examples_are_few_however_many_there_are() -> None:
    """Forged outcomes fill no memory and no screen."""
    verdict = audited([], [*((0, 100 + i) for i in range(50)), *((9, i) for i in range(50))])

    assert verdict.orphaned == 100
    assert [len(row.examples["orphaned"]) for row in verdict.partitions] == [10, 10]


@given(
    st.sets(PLACE),
    st.lists(PLACE, max_size=40),
    st.lists(PLACE, max_size=40),
    st.dictionaries(st.integers(0, 2), st.integers(0, 13)),
    st.tuples(*[st.integers(0, 12)] * 3),
    st.tuples(*[st.integers(0, 12)] * 3),
)
def test_any_events_and_outcomes(
    events: set[tuple[int, int]],
    predictions: list[tuple[int, int]],
    dead_letters: list[tuple[int, int]],
    committed: dict[int, int],
    starts: tuple[int, int, int],
    ends: tuple[int, int, int],
) -> None:
    """The verdict is that of looking at each event by itself, in the window alone."""
    ledger = OutcomeLedger(
        dict(enumerate(starts)), dict(enumerate(ends)), dict.fromkeys(range(3), 13)
    )
    ledger.add_events(events)
    ledger.add_predictions([*predictions])
    ledger.add_dead_letters([*dead_letters])

    verdict = ledger.verdict(committed)

    inside = {(p, o) for p, o in events if starts[p] <= o < ends[p]}
    outcomes = Counter((p, o) for p, o in predictions + dead_letters if starts[p] <= o < ends[p])
    missing = {(p, o) for p, o in inside if not outcomes[p, o]}
    lost = {(p, o) for p, o in missing if o < committed.get(p, 0)}
    assert verdict.events == len(inside)
    assert verdict.lost == len(lost)
    assert verdict.in_flight == len(missing) - len(lost)
    assert verdict.duplicated == sum(outcomes[place] > 1 for place in inside)
    assert verdict.orphaned == len(outcomes.keys() - inside)
    assert verdict.complete == (not (missing or verdict.duplicated or verdict.orphaned))


def test_what_a_later_rule_passes_over_keeps_its_outcome_from_before() -> None:
    """It was scored or rejected before the schema's source said so, and counts once."""
    ledger = OutcomeLedger({0: 0}, {0: 3}, {0: 3})
    ledger.add_events([(0, 0), (0, 1), (0, 2)])
    ledger.add_predictions([(0, 0)])
    ledger.add_dead_letters([(0, 1)])
    ledger.add_passed_over([(0, 0), (0, 1), (0, 2)])
    verdict = ledger.verdict({0: 3})

    assert (verdict.complete, verdict.duplicated, verdict.partitions[0].passed_over) == (True, 0, 1)

"""Looking up terms by combinations of categories gives what adding them up one by one gives."""

import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import msgspec
import numpy as np
import pytest

from churnstream.model import term_event_scorer
from churnstream.model.feature_table import Array
from churnstream.model.features import feature_table
from churnstream.model.term_event_scorer import TermEventScorer
from churnstream.model.term_scorer import TermScorer
from churnstream.model.terms import Field, Pair, Steps, Table, Terms
from churnstream.schema.fields import Boolean, Category, Number
from churnstream.schema.record_types import Event, event_type
from churnstream.schema.schema import Schema

FLAGS = [f"flag {n}" for n in range(20)]
WIDE = Schema(
    name="wide",
    id="id",
    fields={
        **{name: Boolean(missing="allow") for name in FLAGS},
        "plan": Category(values=("a", "b", "c")),
        "city": Category(unknown="other", missing="allow"),
        "age": Number(missing="allow"),
    },
)
NOW = datetime(2026, 1, 31, tzinfo=UTC)


def some_terms(seed: int = 0) -> Terms:
    """Random ones of all fields, and pairs of flags, of flags and the others, of all others."""
    random = np.random.default_rng(seed)
    fields: dict[str, Field] = {
        name: Table({"0": random.normal(), "1": random.normal()}, 0.0, random.normal())
        for name in FLAGS
    }
    fields["plan"] = Table({"a": 0.1, "b": -0.2, "c": 0.3}, 0.4, 0.5)
    fields["city"] = Table({"Ulm": 1.0, "Bonn": -1.0}, other=0.3, missing=0.7)
    fields["age"] = Steps((20.0, 40.0), (0.1, 0.2, 0.3), missing=-0.4)
    near = [("flag 0", "flag 1"), ("flag 0", "flag 19"), ("flag 9", "flag 10")]
    mixed = [*combinations(["plan", "city", "age"], 2), ("flag 3", "age"), ("city", "flag 4")]
    return Terms(0.25, fields, tuple(some_pair(fields, pair, random) for pair in [*near, *mixed]))


def some_pair(fields: dict[str, Field], pair: tuple[str, str], random: np.random.Generator) -> Pair:
    """A grid of its own for each two cells."""
    rows, columns = (fields[name].cells for name in pair)  # type: ignore[union-attr]
    grid = tuple(map(tuple, random.normal(size=(rows, columns)).tolist()))
    return Pair(pair, tuple(range(rows)), tuple(range(columns)), grid)


def some_events(
    count: int, seed: int = 0, cities: Sequence[str] = ("Ulm", "", "Rom")
) -> list[Event]:
    """Customers of any flags."""
    kind: Any = event_type(WIDE)
    random = np.random.default_rng(seed)
    flags = random.choice(
        np.array([0, 1, None], dtype=object), (count, len(FLAGS)), p=[0.5, 0.4, 0.1]
    )
    texts = random.choice(np.array([*cities, None], dtype=object), count)
    plans, ages = random.choice(["a", "b", "c"], count), random.uniform(0, 60, count)
    names = [WIDE.attributes[name] for name in FLAGS]
    return [
        kind(
            id=str(n),
            event_ts=NOW,
            plan=str(plans[n]),
            city=texts[n],
            age=float(ages[n]) if n % 7 else None,
            **dict(zip(names, row, strict=True)),
        )
        for n, row in enumerate(flags.tolist())
    ]


def summed(terms: Terms, events: Sequence[Event]) -> Array:
    """Log-odds, column by column."""
    return TermScorer(terms).score(feature_table(WIDE, events).columns)


def test_more_combinations_than_are_kept_are_looked_up_in_parts() -> None:
    """In the first batch as in a later one, all scores and shares stay what they are."""
    terms, few, many = some_terms(), some_events(100), some_events(70_000, seed=1)
    for batches in ([many], [few, many, few], [many[:65_000], many[60_000:], many[:5]]):
        scorer = TermEventScorer(WIDE, terms)
        for events in batches:
            np.testing.assert_allclose(
                scorer.log_odds(events), summed(terms, events), rtol=0, atol=1e-12
            )
        shares = scorer.effects(few)
        wanted = TermScorer(terms).contributions(feature_table(WIDE, few).columns)
        assert list(shares) == list(wanted)
        for name, share in shares.items():
            np.testing.assert_allclose(share, wanted[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("most", [1, 2, 3, 10, 1000])
def test_any_number_of_combinations_fits(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Down to single fields, of which even the values are more than are kept."""
    monkeypatch.setattr(term_event_scorer, "_MAX_COMBINATIONS", most)
    terms, events = some_terms(), some_events(500)
    scorer = TermEventScorer(WIDE, terms)
    for begin in range(0, 500, 50):
        batch = events[begin : begin + 50]
        np.testing.assert_allclose(scorer.log_odds(batch), summed(terms, batch), rtol=0, atol=1e-12)
    total = terms.base + sum(scorer.effects(events).values())
    np.testing.assert_allclose(total, scorer.log_odds(events), rtol=0, atol=1e-9)


def test_one_by_one_equals_a_batch() -> None:
    """No event's score depends on the others; an empty batch has none."""
    scorer = TermEventScorer(WIDE, some_terms())
    events = some_events(60)
    alone = [TermEventScorer(WIDE, some_terms()).log_odds([event])[0] for event in events]
    np.testing.assert_allclose(scorer.log_odds(events), alone, rtol=0, atol=1e-12)
    assert scorer.log_odds([]).shape == (0,)


def test_hostile_texts_are_not_remembered() -> None:
    """Of an open category any text may come, megabytes each: it counts as other and is let go."""
    terms = some_terms()
    scorer = TermEventScorer(WIDE, terms)
    scorer.log_odds(some_events(2000))
    tracemalloc.start()
    try:
        for seed in range(20):
            texts = [f"{seed} {n} {'x' * 100_000}" for n in range(20)]
            events = some_events(20, seed=0, cities=texts)
            found = scorer.log_odds(events)
        del texts, events
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 500_000
    assert np.all(np.isfinite(found))


def test_an_unknown_text_is_an_other_one() -> None:
    """Known, unknown, empty and missing texts of an open category have the terms of their cells."""
    terms = msgspec.structs.replace(some_terms(), pairs=())
    (event,) = some_events(1)
    cities = ("Ulm", "Bonn", "nowhere", "", None)
    events = [msgspec.structs.replace(event, city=city) for city in cities]
    found = TermEventScorer(WIDE, terms).effects(events)["city"]
    assert found.tolist() == [1.0, -1.0, 0.3, 0.3, 0.7]

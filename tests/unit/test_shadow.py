"""Champion and challenger: what is counted of the events that both score."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from builders import TELCO, CustomerEvent, event_message
from churnstream.kafka.polled_records import PolledRecords
from churnstream.model.champion import Models
from churnstream.model.manifest import save
from churnstream.model.scorer import Model
from churnstream.model.shadow import ShadowBuilder, in_words
from churnstream.pipeline.scoring import Batch
from churnstream.settings import ModelSettings, Settings
from fakes import score_batch
from quick import train_quickly

shares = st.floats(0, 1)


@given(st.lists(st.tuples(shares, shares)), shares, shares, st.integers(0, 10))
def test_figures_do_not_depend_on_the_batches(
    pairs: list[tuple[float, float]], bar: float, other_bar: float, cut: int
) -> None:
    """They are those of all events at once, counted by hand."""
    both = np.array(pairs).reshape(-1, 2)
    builder = ShadowBuilder()
    for part in (both[:cut], both[cut:]):
        builder.add(("a", "b"), (part[:, 0], part[:, 1]), (bar, other_bar), not_scored=1)

    (found,) = builder.build()
    assert (found.events, found.not_scored) == (len(pairs), 2)
    assert sum(found.champion_scores) == sum(found.challenger_scores) == len(pairs)
    if pairs:
        same = [(first >= bar) == (second >= other_bar) for first, second in pairs]
        assert found.agreement == pytest.approx(np.mean(same))
        assert found.mean_difference == pytest.approx(np.mean(both[:, 1] - both[:, 0]))
    else:
        assert found.agreement is found.mean_difference is None


def test_each_pair_of_versions_has_figures_of_its_own() -> None:
    """After a swap of either model the counting starts anew."""
    builder, one = ShadowBuilder(), np.array([0.25])
    for versions in (("a", "x"), ("a", "y"), ("b", "y"), ("a", "x")):
        builder.add(versions, (one, one + 0.5), (0.5, 0.5))

    found = [(s.champion, s.challenger, s.events) for s in builder.build()]
    assert found == [("a", "x", 2), ("a", "y", 1), ("b", "y", 1)]
    first = builder.build()[0]
    assert first.champion_scores == [0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    assert first.challenger_scores == [0, 0, 0, 0, 0, 0, 0, 2, 0, 0]
    words = "x on 2 events: 0.0% predicted alike, probability +0.5000 on average"
    assert in_words(first) == words


@pytest.fixture(scope="module")
def models(customers: list[CustomerEvent], tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A champion, and a challenger who knows no customer with a contract of two years."""
    folder = tmp_path_factory.mktemp("models")
    save(train_quickly(TELCO, customers[:400]), folder / "champion")
    few = [customer for customer in customers[:800] if customer.Contract != "Two year"]
    contracts = msgspec.structs.replace(TELCO.fields["Contract"], values=None)
    learnt = msgspec.structs.replace(TELCO, fields=TELCO.fields | {"Contract": contracts})
    save(train_quickly(learnt, few), folder / "challenger")
    own = ModelSettings(path=str(folder / "champion"), challenger=str(folder / "challenger"))
    return Models(Settings(model=own))


def batch(scorer: Model) -> Batch:
    """Three events, the second with a contract of two years, as the champion scores them."""
    contracts = ("One year", "Two year", "Month-to-month")
    records = [event_message(0, n, Contract=contract) for n, contract in enumerate(contracts)]
    now = datetime.now(UTC)
    return score_batch(PolledRecords.of(records, {}), scorer, now)


def test_the_challenger_scores_what_it_knows(models: Models) -> None:
    """An event with a category that it never saw is counted, not scored and no fault."""
    champion = models.champion.current()
    assert models.challenger is not None
    made = batch(champion)
    models.shadow(made.events, made.probabilities, made.scorer)

    (found,) = models.comparison()
    versions = (champion.version, models.challenger.current().version)
    assert (found.champion, found.challenger) == versions
    assert (found.events, found.not_scored) == (2, 1)
    assert in_words(found).endswith("; 1 not scored")
    theirs = models.challenger.current().score([made.events[0], made.events[2]])
    difference = np.mean(theirs - made.probabilities[[0, 2]])
    assert found.mean_difference == pytest.approx(difference)


def test_a_challenger_without_a_probability_scores_less(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no number from 0 to 1 is counted, and makes no mean of its own."""
    made = batch(models.champion.current())
    models.shadow(made.events, made.probabilities, made.scorer)
    (before,) = models.comparison()
    monkeypatch.setattr(Model, "score", lambda *_: np.array([np.nan, 0.5]))
    models.shadow(made.events, made.probabilities, made.scorer)

    (found,) = models.comparison()
    assert (found.events, found.not_scored) == (before.events + 1, before.not_scored + 2)
    assert found.mean_difference is not None
    assert np.isfinite(found.mean_difference)


def test_a_failing_challenger_stops_nobody(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a second model does, the first one goes on; the log says so, without its data."""

    def fail(*_: object) -> None:
        raise ValueError("could not convert string to float: 'Jane'")

    made = batch(models.champion.current())
    before = models.comparison()
    monkeypatch.setattr(Model, "score", fail)
    with capture_logs() as log:
        models.shadow(made.events, made.probabilities, made.scorer)
    assert [(line["event"], line["error"]) for line in log] == [("challenger_failed", "ValueError")]
    assert models.comparison() == before

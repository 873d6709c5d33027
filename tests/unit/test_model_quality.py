"""The figures by which models are judged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from churnstream.errors import ModelError
from churnstream.model.quality import (
    Array,
    Labels,
    Metrics,
    best_f1_threshold,
    calibration_error,
    evaluate,
    lift_top_decile,
    spread,
)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Labels, Array]:
    """Labels with both outcomes, and probabilities with ties."""
    pairs = st.tuples(st.integers(0, 1), st.integers(0, 20))
    drawn = [(0, draw(st.integers(0, 20))), (1, draw(st.integers(0, 20)))]
    drawn += draw(st.lists(pairs, max_size=60))
    labels, twentieths = np.array(drawn, dtype=np.int64).T
    return labels, twentieths / 20


def test_a_perfect_model_has_perfect_figures() -> None:
    """Certain and right predictions get the best value of each figure."""
    labels = np.array([0] * 30 + [1] * 10)
    found = evaluate(labels, labels.astype(np.float64), 0.5)

    assert found.log_loss == pytest.approx(0.0, abs=1e-12)
    assert found == Metrics(
        roc_auc=1.0,
        average_precision=1.0,
        brier=0.0,
        log_loss=found.log_loss,
        calibration_error=0.0,
        accuracy=1.0,
        precision=1.0,
        recall=1.0,
        f1=1.0,
        lift_top_decile=4.0,
        rows=40,
        positives=10,
    )


def test_decisions_are_made_at_the_threshold() -> None:
    """A probability equal to the threshold counts as churn."""
    found = evaluate(np.array([0, 1, 1, 0]), np.array([0.1, 0.4, 0.3, 0.4]), 0.4)

    assert (found.accuracy, found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5, 0.5)


def test_no_churner_called_is_zero_and_no_warning() -> None:
    """A threshold above every probability gives precision, recall and F1 of 0."""
    found = evaluate(np.array([0, 1]), np.array([0.1, 0.2]), 0.9)

    assert (found.precision, found.recall, found.f1) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("labels", [[], [0, 0], [1, 1]])
def test_one_outcome_alone_is_refused(labels: list[int]) -> None:
    """Where nobody churned, or everybody, there is nothing to measure."""
    with pytest.raises(ModelError, match=f"of {len(labels)} customers churned; need both"):
        evaluate(np.array(labels, dtype=np.int64), np.full(len(labels), 0.5), 0.5)


def test_calibration_error_is_the_mean_gap_of_ten_bins() -> None:
    """Half of the rows off by 0.2 make an error of 0.1."""
    probabilities = np.repeat([0.0, 0.3], 50)
    labels = np.array([0] * 50 + [1, 0] * 25)

    assert calibration_error(labels, probabilities) == pytest.approx(0.1)


def test_lift_compares_the_top_tenth_with_all() -> None:
    """Two churners among the best two of twenty, of four in all, are five times the average."""
    labels = np.array([1, 1] + [0] * 16 + [1, 1])

    assert lift_top_decile(labels, np.linspace(1, 0, 20)) == pytest.approx(5.0)


@settings(deadline=None)
@given(predictions())
def test_figures_stay_in_their_range(case: tuple[Labels, Array]) -> None:
    """Shares lie between 0 and 1, and neither ranking nor decisions depend on the order of rows."""
    labels, probabilities = case
    found = evaluate(labels, probabilities, 0.5)
    shares = (found.roc_auc, found.average_precision, found.brier, found.calibration_error)

    assert all(0 <= share <= 1 for share in shares)
    reversed_ = evaluate(labels[::-1], probabilities[::-1], 0.5)
    assert reversed_.roc_auc == pytest.approx(found.roc_auc)
    assert reversed_.f1 == found.f1


@settings(deadline=None)
@given(predictions())
def test_no_threshold_has_a_higher_f1(case: tuple[Labels, Array]) -> None:
    """The chosen threshold is as good as the best found by trying all."""
    labels, probabilities = case
    chosen = best_f1_threshold(labels, probabilities)

    f1 = {p: f1_score(labels, probabilities >= p) for p in set(probabilities)}
    assert f1[chosen] == pytest.approx(max(f1.values()))


def test_spread_is_mean_and_standard_deviation() -> None:
    """Figures over folds get the mean and the deviation of a sample; counts do not."""
    labels = np.array([0, 1])
    folds = [evaluate(labels, np.array([0.0, p]), 0.5) for p in (0.5, 1.0)]
    found = spread(folds)

    assert found["brier"].mean == pytest.approx(0.0625)
    assert found["brier"].std == pytest.approx(0.125 / np.sqrt(2))
    assert set(found).isdisjoint({"rows", "positives"})

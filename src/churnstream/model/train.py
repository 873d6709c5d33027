"""Train the churn model and measure it.

The default is an additive logistic regression: smooth curves (cubic splines) for the numbers, one
coefficient for each category. docs/model.md has the figures by which it was chosen (see
`churnstream.model.compare`). It is a sum of one term per raw feature, which is what exact reasons
and scoring by table need; it fits in well under a second; and its saved form holds no trees, which
compiled code would walk through without looking whether their indices are sound.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)

from churnstream.errors import ModelError
from churnstream.model.additive import Terms
from churnstream.model.background import Background, Reference, background
from churnstream.model.features import completed, frame, known_values
from churnstream.model.profit import Decision, Offer, Rule, decide
from churnstream.model.quality import (
    Array,
    Labels,
    Metrics,
    Predictions,
    Spread,
    evaluate,
    spread,
)
from churnstream.model.read_out import read_out
from churnstream.model.threads import one_blas_thread
from churnstream.schema.outcome import label_reader, worth_of
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

_TEST_SHARE = 0.2
_FOLDS = 5
_FEWEST_OF_A_LABEL = 10  # leaves at least one for every fold and for the test
_REFERENCE_ROWS = 20


@dataclass(frozen=True)
class TrainedModel:
    """A fitted pipeline and what is known about it.

    Attributes:
        pipeline: Takes `features.frame`, answers `predict_proba` (n, 2); column 1 is churn.
            Fitted on the training part only, so that `test` speaks of this very pipeline.
        threshold: The probability at which a customer is called a churner.
        decision: How the threshold was chosen, and what it is worth.
        digest: SHA-256 of the training data: IDs, features and labels in their order.
        rows: Number of events, training and test part together.
        test: On the held-out fifth, which nothing else has seen.
        cross_validated: Over the folds of the training part.
        out_of_fold: On the pooled predictions of those folds: the calibration error needs more
            rows than a fold has.
        predictions: Out of fold, on which the threshold was chosen.
        held_out: The customers of the test part.
        reference: Some of them without ID and label, for a later self-check.
        background: The customers of the training part in figures, for reasons and drift.
    """

    pipeline: Pipeline
    schema: Schema
    threshold: float
    decision: Decision
    seed: int
    digest: str
    rows: int
    test: Metrics
    cross_validated: dict[str, Spread]
    out_of_fold: Metrics
    predictions: Predictions
    held_out: tuple[Event, ...]
    reference: tuple[Reference, ...]
    background: Background
    terms: Terms | None


def train(
    schema: Schema,
    events: Sequence[Event],
    *,
    seed: int = 42,
    estimator: BaseEstimator | None = None,
    threshold: Rule = "profit",
    offer: Offer = Offer(),  # noqa: B008  # frozen
) -> TrainedModel:
    """Fit a model on labelled events and measure it on some that it has not seen.

    A stratified fifth is held out. The threshold is chosen on the out-of-fold predictions of a
    stratified 5-fold cross-validation of the rest.

    Args:
        schema: Of the events.
        events: All with their label.
        seed: Of the split and of the folds.
        estimator: A scikit-learn classifier to put behind one-hot categories and plain numbers;
            None for the additive splines.
        threshold: What the threshold maximises, or the threshold itself.
        offer: By which the profit of a threshold counts.

    Raises:
        ModelError: Events without a label, or too few with one of the two labels.
    """
    schema = completed(schema, events)
    pipeline = splines(schema) if estimator is None else behind_one_hot(estimator, schema)
    labels = labels_of(schema, events)
    seen, _ = _split(labels, seed)
    rows, known = frame(schema, [events[index] for index in seen]), labels[seen]
    with one_blas_thread():
        predicted = cross_val_predict(
            pipeline, rows, known, cv=_folds(seed), method="predict_proba"
        )[:, 1]
        pipeline.fit(rows, known)
    return described(
        pipeline, events, predicted, schema=schema, seed=seed, threshold=threshold, offer=offer
    )


def described(
    pipeline: Pipeline,
    events: Sequence[Event],
    predicted: Array,
    *,
    schema: Schema,
    seed: int,
    threshold: Rule,
    offer: Offer,
) -> TrainedModel:
    """A fitted pipeline with its threshold, and with all that is known about it.

    Args:
        predicted: For the customers that are not held out, in their order; by models that had not
            seen them.
    """
    labels, rows = labels_of(schema, events), frame(schema, events)
    found = worth_of(schema, events)
    worth = np.zeros(len(events)) if found is None else found
    fit_on, test_on = _split(labels, seed)
    fit_labels = labels[fit_on]
    with one_blas_thread():
        tested = pipeline.predict_proba(rows.iloc[test_on])[:, 1]
    _check_probabilities(np.concatenate([predicted, tested]))
    out_of_fold = Predictions(fit_labels, worth[fit_on], predicted)
    test = Predictions(labels[test_on], worth[test_on], tested)
    chosen, decision = decide(threshold, offer, out_of_fold, test)
    folds = [held for _, held in _folds(seed).split(fit_on, fit_labels)]
    tested_events = tuple(events[index] for index in test_on)
    terms = read_out(pipeline, schema)
    return TrainedModel(
        pipeline=pipeline,
        schema=schema,
        threshold=chosen,
        decision=decision,
        seed=seed,
        digest=digest_of(schema, events),
        rows=len(events),
        test=evaluate(test.labels, tested, chosen),
        cross_validated=spread([evaluate(fit_labels[f], predicted[f], chosen) for f in folds]),
        out_of_fold=evaluate(fit_labels, predicted, chosen),
        predictions=out_of_fold,
        held_out=tested_events,
        reference=_reference(schema, tested_events, tested),
        background=background(schema, terms, [events[index] for index in fit_on], predicted),
        terms=terms,
    )


def _check_probabilities(found: Array) -> None:
    bad = int(np.sum(~((found >= 0) & (found <= 1))))  # NaN is neither
    if bad:
        raise ModelError(
            f"the model gives {bad} of {len(found)} customers no probability from 0 to 1; "
            "are its coefficients finite?"
        )


def _folds(seed: int) -> StratifiedKFold:
    return StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)


def held_out(schema: Schema, events: Sequence[Event], seed: int) -> tuple[Event, ...]:
    """The events that training with this seed does not see.

    Raises:
        ModelError: As `train` does.
    """
    return tuple(events[index] for index in _split(labels_of(schema, events), seed)[1])


def not_held_out(schema: Schema, events: Sequence[Event], seed: int) -> list[Event]:
    """The other events, in their order.

    Raises:
        ModelError: As `train` does.
    """
    return [events[index] for index in _split(labels_of(schema, events), seed)[0]]


def _split(labels: Labels, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    fit_on, test_on = train_test_split(
        np.arange(len(labels)), test_size=_TEST_SHARE, stratify=labels, random_state=seed
    )
    return fit_on, test_on


def splines(schema: Schema) -> Pipeline:
    """The default: smooth curves and categories, summed up in log-odds.

    Logarithms, because a month or a dollar means more where there are few. Beyond the training
    range a curve stays at its last value: an absurd amount gets the score of a large one.
    """
    curves = make_pipeline(
        FunctionTransformer(np.log1p, feature_names_out="one-to-one"),
        SplineTransformer(n_knots=10, degree=3, knots="quantile", extrapolation="constant"),
    )
    columns = [
        ("curves", curves, list(schema.numeric)),
        ("categories", _one_hot(schema), list(schema.categorical)),
    ]
    # Scaled, so that the penalty bears on each term by its weight among the customers. Newton's
    # method reaches the optimum to many digits: the same figures on every machine.
    classifier = LogisticRegression(C=0.02, solver="newton-cholesky", tol=1e-8)
    return make_pipeline(ColumnTransformer(columns), StandardScaler(), classifier)


def behind_one_hot(estimator: BaseEstimator, schema: Schema) -> Pipeline:
    """Any classifier, with the preparation of the columns that every one can use."""
    columns = [
        ("numbers", "passthrough", list(schema.numeric)),
        ("categories", _one_hot(schema), list(schema.categorical)),
    ]
    return make_pipeline(ColumnTransformer(columns), clone(estimator))


def _one_hot(schema: Schema) -> OneHotEncoder:
    known = [np.array(known_values(schema, name), dtype=object) for name in schema.categorical]
    return OneHotEncoder(categories=known, handle_unknown="error", sparse_output=False)


def labels_of(schema: Schema, events: Sequence[Event]) -> Labels:
    """The label of each event, (n,): 1 for churn.

    Raises:
        ModelError: Events without a label, or too few with one of the two labels.
    """
    if schema.label is None:
        raise ModelError("cannot train: the schema has no label; name it, as label: {field: …}")
    found = list(map(label_reader(schema), events))
    if unlabelled := found.count(None):
        raise ModelError(
            f"cannot train: {unlabelled} of {len(events)} customers have no label in "
            f"{schema.label.field}"
        )
    labels = np.array(found, dtype=np.int64)
    positives = int(labels.sum())
    if min(positives, len(labels) - positives) < _FEWEST_OF_A_LABEL:
        raise ModelError(
            f"cannot train: {positives} of {len(labels)} customers churned; "
            f"needs at least {_FEWEST_OF_A_LABEL} who did and {_FEWEST_OF_A_LABEL} who did not"
        )
    return labels


def digest_of(schema: Schema, events: Sequence[Event]) -> str:
    """SHA-256 of what training reads; `event_ts` is left out: it is when a file was read."""
    columns = attrgetter(*schema.attributes.values())
    encode = msgspec.json.Encoder().encode
    digest = hashlib.sha256()
    for event in events:
        digest.update(encode(columns(event)))
    return digest.hexdigest()


def _reference(
    schema: Schema, events: Sequence[Event], probabilities: Array
) -> tuple[Reference, ...]:
    """The first rows, without what would tell who they are and what they did."""
    rows = zip(events[:_REFERENCE_ROWS], probabilities.tolist(), strict=False)
    names, label = schema.attributes, schema.label
    no_label = {names[label.field]: None} if label else {}

    def anonymous(event: Event, number: int) -> dict[str, Any]:
        changes = {names[schema.id]: f"reference-{number}", **no_label}
        found: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(event, **changes))
        return found

    return tuple(
        Reference(anonymous(event, n), score) for n, (event, score) in enumerate(rows, start=1)
    )

"""Train the churn model and measure it.

The kind of model is chosen by cross-validation (`churnstream.model.choose_kind`); docs/model.md has
the figures. Whatever its kind, its saved form is numbers alone: no code, and no trees through which
compiled code would walk without looking whether their indices are sound.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import numpy as np

from churnstream.errors import ModelError
from churnstream.model.background import Background, Reference, background
from churnstream.model.choose_kind import choose
from churnstream.model.event_scorer import event_scorer
from churnstream.model.feature_table import Labels
from churnstream.model.features import completed, feature_table
from churnstream.model.formula import Formula
from churnstream.model.kinds import FOLDS, Choice, Kind
from churnstream.model.profit import Decision, Offer, Rule, decide
from churnstream.model.quality import Array, Metrics, Predictions, Spread, evaluate, spread
from churnstream.model.splits import Groups, folds
from churnstream.model.term_scorer import probabilities
from churnstream.schema.label_and_value import label_reader, worth_of
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_MIN_OF_A_LABEL = 10  # leaves at least one for every fold and for the test
_REFERENCE_ROWS = 20


@dataclass(frozen=True)
class TrainedModel:
    """What scores, and what is known about it.

    Attributes:
        formula: What it computes by, fitted on the training part only, so that `test` speaks of it.
        pipeline: In its place, a pipeline of somebody's own, see `churnstream.model.adopt`.
        choice: Why it is of its kind; None for a pipeline.
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
        background: The customers of the training part in figures, for drift.
    """

    schema: Schema
    formula: Formula | None
    pipeline: "Pipeline | None"
    choice: Choice | None
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


@dataclass(frozen=True)
class Unseen:
    """What models said of customers that they had not seen.

    Attributes:
        rows: Which of the events, (n,).
        probabilities: Of them, (n,).
        folds: Which of `rows` belong together.
        tested: Probabilities of the held-out part, in its order.
    """

    rows: Labels
    probabilities: Array
    folds: Sequence[Labels]
    tested: Array


def train(
    schema: Schema,
    events: Sequence[Event],
    *,
    seed: int = 42,
    threshold: Rule = "profit",
    offer: Offer = Offer(),  # noqa: B008  # frozen
    kinds: Sequence[Kind] = get_args(Kind),
) -> TrainedModel:
    """Fit a model on labelled events and measure it on some that it has not seen.

    A stratified fifth of the customers is held out. The kind of model and the threshold are chosen
    by a stratified 5-fold cross-validation of the rest. A customer of several rows is on one side
    of every split.

    Args:
        schema: Of the events.
        events: All with their label.
        seed: Of the split and of the folds.
        threshold: What the threshold maximises, or the threshold itself.
        offer: By which the profit of a threshold counts.
        kinds: Of models, to choose from; from simple to less so.

    Raises:
        ModelError: Events without a label, or too few with one of the two labels.
    """
    schema = completed(schema, events)
    labels, table, groups = (
        labels_of(schema, events),
        feature_table(schema, events),
        _groups(schema, events),
    )
    seen, held = _split(labels, groups, seed)
    chosen = choose(table.rows(seen), labels[seen], groups=groups[seen], kinds=kinds, seed=seed)
    tested = probabilities(
        event_scorer(schema, chosen.formula).log_odds([events[index] for index in held])
    )
    unseen = Unseen(seen[chosen.rows], chosen.out_of_fold, chosen.folds, tested)
    return described(
        schema,
        events,
        unseen,
        formula=chosen.formula,
        choice=chosen.choice,
        seed=seed,
        threshold=threshold,
        offer=offer,
    )


def described(
    schema: Schema,
    events: Sequence[Event],
    unseen: Unseen,
    *,
    formula: Formula | None = None,
    pipeline: "Pipeline | None" = None,
    choice: Choice | None = None,
    seed: int,
    threshold: Rule,
    offer: Offer,
) -> TrainedModel:
    """What scores with its threshold, and with all that is known about it."""
    labels, rows = labels_of(schema, events), unseen.rows
    found = worth_of(schema, events)
    worth = np.zeros(len(events)) if found is None else found
    _, held = _split(labels, _groups(schema, events), seed)
    _check_probabilities(np.concatenate([unseen.probabilities, unseen.tested]))
    out_of_fold = Predictions(labels[rows], worth[rows], unseen.probabilities)
    test = Predictions(labels[held], worth[held], unseen.tested)
    rule: Rule = "f1" if threshold == "profit" and found is None else threshold
    chosen, decision = decide(rule, offer, out_of_fold, test)
    tested_events = tuple(events[index] for index in held)
    known, predicted = out_of_fold.labels, out_of_fold.probabilities
    each = [evaluate(known[fold], predicted[fold], chosen) for fold in unseen.folds]
    return TrainedModel(
        schema=schema,
        formula=formula,
        pipeline=pipeline,
        choice=choice,
        threshold=chosen,
        decision=decision,
        seed=seed,
        digest=digest_of(schema, events),
        rows=len(events),
        test=evaluate(test.labels, unseen.tested, chosen),
        cross_validated=spread(each),
        out_of_fold=evaluate(known, predicted, chosen),
        predictions=out_of_fold,
        held_out=tested_events,
        reference=_reference(schema, tested_events, unseen.tested),
        background=background(schema, [events[index] for index in rows], predicted),
    )


def _check_probabilities(found: Array) -> None:
    bad = int(np.sum(~((found >= 0) & (found <= 1))))  # NaN is neither
    if bad:
        raise ModelError(
            f"the model gives {bad} of {len(found)} customers no probability from 0 to 1; "
            "are its coefficients finite?"
        )


def _groups(schema: Schema, events: Sequence[Event]) -> Groups:
    return np.array(list(map(schema.id_of, events)), dtype=np.object_)


def held_out(schema: Schema, events: Sequence[Event], seed: int) -> tuple[Event, ...]:
    """The events that training with this seed does not see.

    Raises:
        ModelError: As `train` does.
    """
    _, held = _split(labels_of(schema, events), _groups(schema, events), seed)
    return tuple(events[index] for index in held)


def measured_on(schema: Schema, events: Sequence[Event], seed: int) -> tuple[Labels, Labels]:
    """The rows that training with this seed sees, and those that it holds out.

    Raises:
        ModelError: As `train` does.
    """
    return _split(labels_of(schema, events), _groups(schema, events), seed)


def folds_of(schema: Schema, events: Sequence[Event], rows: Labels, seed: int) -> list[Labels]:
    """Which of some rows belong to each fold of a cross-validation."""
    labels, groups = labels_of(schema, events)[rows], _groups(schema, events)[rows]
    return [held for _, held in folds(labels, groups, FOLDS, seed=seed)]


def _split(labels: Labels, groups: Groups, seed: int) -> tuple[Labels, Labels]:
    return folds(labels, groups, FOLDS, seed=seed)[0]


def labels_of(schema: Schema, events: Sequence[Event]) -> Labels:
    """The label of each event, (n,): 1 for churn.

    Raises:
        ModelError: Events without a label, or too few with one of the two labels.
    """
    if schema.label is None:
        raise ModelError(
            "cannot train: the schema says of no column that it is the label; write one there, as "
            "label: {field: Exited, churned: 1}, or run: churnstream init FILE --label Exited=1"
        )
    found = list(map(label_reader(schema), events))
    if unlabelled := found.count(None):
        raise ModelError(
            f"cannot train: {unlabelled} of {len(events)} customers have no label in "
            f"{schema.label.field}"
        )
    labels = np.array(found, dtype=np.int64)
    positives = int(labels.sum())
    if min(positives, len(labels) - positives) < _MIN_OF_A_LABEL:
        raise ModelError(
            f"cannot train: {positives} of {len(labels)} customers churned; "
            f"needs at least {_MIN_OF_A_LABEL} who did and {_MIN_OF_A_LABEL} who did not"
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

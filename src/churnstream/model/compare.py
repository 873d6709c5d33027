"""Kinds of models side by side: 3 x 5 repeated stratified cross-validation on the same folds."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold
from threadpoolctl import threadpool_limits

from churnstream import safe_files
from churnstream.errors import ModelError
from churnstream.model.compared_kinds import Fit
from churnstream.model.features import completed
from churnstream.model.quality import Array, Labels, Predictions, calibration_error, evaluate
from churnstream.model.train import labels_of
from churnstream.schema.label_and_value import worth_of
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

FOLDS, REPEATS = 5, 3
FIGURES = ("roc_auc", "average_precision", "brier", "log_loss", "lift_top_decile")

Split = tuple[Labels, Labels]  # rows to fit on, rows held out


class Result(msgspec.Struct, frozen=True):
    """A kind of model. Times are of the processor, on one thread: the same however busy it is.

    Attributes:
        folds: Each of `FIGURES` by fold, in the order of the folds.
        calibration_error: Of the pooled predictions of a repeat, mean of the repeats.
        fit_seconds: To train on a fold's customers, median.
        score_microseconds: For a customer, in batches of a fold's held-out customers, median.
    """

    name: str
    folds: dict[str, tuple[float, ...]]
    calibration_error: float
    fit_seconds: float
    score_microseconds: float


class Comparison(msgspec.Struct, frozen=True):
    """All kinds on the same customers and folds."""

    rows: int
    positives: int
    seed: int
    results: tuple[Result, ...]


@dataclass(frozen=True)
class _Fold:
    held: Labels
    probabilities: Array
    fit_seconds: float
    score_microseconds: float


def compare(
    schema: Schema,
    events: Sequence[Event],
    kinds: Mapping[str, Fit],
    *,
    seed: int = 42,
    first_folds: int = FOLDS * REPEATS,
    on_fold: Callable[[int], None] = lambda _: None,
) -> tuple[Comparison, dict[str, Predictions]]:
    """Cross-validate each kind.

    Args:
        schema: Of the events.
        events: All with their label.
        kinds: By the name in the table.
        first_folds: Leave out the folds after these, for a quick look at the same figures.
        on_fold: Told how many fits are done.

    Returns:
        The figures, and by name the predictions of the first repeat, for pictures.

    Raises:
        ModelError: Events without a label, or too few with one of the two labels.
    """
    schema = completed(schema, events)
    labels = labels_of(schema, events)
    splits = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed)
    folds = list(splits.split(labels, labels))[:first_folds]
    results: list[Result] = []
    predictions: dict[str, Predictions] = {}
    for name, fit in kinds.items():
        done = []
        for fold in _run(fit, schema, events, labels, folds):
            done.append(fold)
            on_fold(len(results) * len(folds) + len(done))
        results.append(_result(name, done, labels))
        held, probabilities = _pooled(done[:FOLDS])
        worth = worth_of(schema, [events[index] for index in held])
        worth = np.zeros(len(held)) if worth is None else worth
        predictions[name] = Predictions(labels[held], worth, probabilities)
    comparison = Comparison(
        rows=len(labels), positives=int(labels.sum()), seed=seed, results=tuple(results)
    )
    return comparison, predictions


def _run(
    fit: Fit, schema: Schema, events: Sequence[Event], labels: Labels, folds: Sequence[Split]
) -> Iterator[_Fold]:
    for fit_on, held in folds:
        seen, unseen = [events[index] for index in fit_on], [events[index] for index in held]
        with threadpool_limits(1):
            begin = time.process_time()
            score = fit(schema, seen, labels[fit_on])
            fitted = time.process_time()
            probabilities = score(unseen)
            again = time.process_time()
            score(unseen)  # timed warm, as a running consumer is
            scored = time.process_time()
        yield _Fold(held, probabilities, fitted - begin, (scored - again) / len(held) * 1e6)


def _result(name: str, folds: Sequence[_Fold], labels: Labels) -> Result:
    measured = [evaluate(labels[fold.held], fold.probabilities, 0.5) for fold in folds]
    repeats = [_pooled(folds[start : start + FOLDS]) for start in range(0, len(folds), FOLDS)]
    errors = [calibration_error(labels[held], found) for held, found in repeats]
    return Result(
        name=name,
        folds={name: tuple(getattr(fold, name) for fold in measured) for name in FIGURES},
        calibration_error=float(np.mean(errors)),
        fit_seconds=float(np.median([fold.fit_seconds for fold in folds])),
        score_microseconds=float(np.median([fold.score_microseconds for fold in folds])),
    )


def _pooled(folds: Sequence[_Fold]) -> tuple[Labels, Array]:
    held = np.concatenate([fold.held for fold in folds])
    return held, np.concatenate([fold.probabilities for fold in folds])


# ---- for people ----

HEADER = (
    "model", "ROC AUC", "average precision", "Brier", "calibration error",
    "log loss", "lift, top tenth", "training, s", "scoring, µs",
)  # fmt: skip
_BLOCK = re.compile(r"(<!-- figures -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def table(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """A line of text cells for each kind, under `HEADER`."""
    for result in comparison.results:
        mean = {name: float(np.mean(values)) for name, values in result.folds.items()}
        deviation = float(np.std(result.folds["roc_auc"], ddof=1))
        yield (
            result.name,
            f"{mean['roc_auc']:.4f} ± {deviation:.4f}",
            f"{mean['average_precision']:.4f}",
            f"{mean['brier']:.4f}",
            f"{result.calibration_error:.4f}",
            f"{mean['log_loss']:.4f}",
            f"{mean['lift_top_decile']:.2f}",
            f"{result.fit_seconds:.2f}",
            f"{result.score_microseconds:.1f}",
        )


def save(comparison: Comparison, folder: Path) -> Path:
    """Write the figures of all folds as comparison.json into a folder.

    Raises:
        ModelError: It cannot be written.
    """
    path = folder / "comparison.json"
    with _writing(path):
        safe_files.replace(path, msgspec.json.format(msgspec.json.encode(comparison)) + b"\n")
    return path


def write_page(path: Path, comparison: Comparison) -> Path:
    """Put the table into a Markdown file, see `page`.

    Raises:
        ModelError: It cannot be written.
    """
    with _writing(path):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        safe_files.replace(path, page(text, comparison).encode())
    return path


def page(text: str, comparison: Comparison) -> str:
    """A Markdown page with the table between its two marks, or at the end if it has none."""
    lines = [HEADER, ("---",) + ("---:",) * (len(HEADER) - 1), *table(comparison)]
    block = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    if not _BLOCK.search(text):
        text += "<!-- figures -->\n<!-- end of figures -->\n"
    return _BLOCK.sub(lambda found: f"{found[1]}\n{block}\n{found[2]}", text)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError(f"cannot write {path}: {error.strerror}") from error

"""A pipeline that was fitted elsewhere, as a model that churnstream can score with.

It is taken as it is: measured on labelled customers, given a threshold and a description, and
from there on handled like a model of our own.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline

from churnstream.errors import ModelError
from churnstream.model import archive
from churnstream.model.features import completed, frame
from churnstream.model.pipeline_file import TRUSTED_TYPES, what_is_missing
from churnstream.model.profit import Offer, Rule
from churnstream.model.threads import one_blas_thread
from churnstream.model.train import TrainedModel, Unseen, described, folds_of, measured_on
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

_LABELS = ([0, 1], [False, True], ["No", "Yes"])  # in the order of scikit-learn's `classes_`


def read_pipeline(path: Path, trusted: Collection[str] = ()) -> Pipeline:
    """A fitted classifier from a file: `.joblib`, `.pkl`, `.pickle`, or `.skops`.

    A pickle, which a joblib file is as well, runs code while it is read: read none of strangers.

    Args:
        trusted: Types that a skops file may hold beyond `TRUSTED_TYPES`.

    Raises:
        ModelError: The file cannot be read, or holds no fitted classifier of churn.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise ModelError(f"{path}: is of no known format; its name must end in {_known()}")
    try:
        found = read(path, trusted)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such file") from error
    except Exception as error:  # whatever a file can hold
        if missing := what_is_missing(error):
            raise ModelError(f"{path} needs {missing}") from error
        raise ModelError(f"{path} cannot be read: {error}") from error
    _check_classes(path, found)
    return found if isinstance(found, Pipeline) else make_pipeline(found)


def adopt(
    pipeline: Pipeline,
    schema: Schema,
    events: Sequence[Event],
    *,
    seed: int = 42,
    threshold: Rule = "profit",
    offer: Offer = Offer(),  # noqa: B008  # frozen
) -> TrainedModel:
    """Measure a fitted pipeline as it is, and give it a threshold.

    The same fifth is held out as in training; the threshold is chosen on the rest. The figures are
    honest only if the pipeline has seen none of these customers.

    Args:
        pipeline: Takes `features.frame`; column 1 of its `predict_proba` is churn.
        schema: Of the events. Of a category whose values it does not list, others than those that
            occur will be rejected.
        events: All with their label.
        threshold: What the threshold maximises, or the threshold itself.
        offer: By which the profit of a threshold counts.

    Raises:
        ModelError: It cannot score these customers, or they cannot be used to measure it.
    """
    rows, held = measured_on(schema, events, seed)
    try:
        with one_blas_thread():
            found = pipeline.predict_proba(frame(schema, events))[:, 1]
    except NotFittedError as error:
        raise ModelError(f"the pipeline is not fitted: {error}") from error
    except Exception as error:  # a pipeline can fail in as many ways as there are estimators
        columns = ", ".join(schema.fields)
        raise ModelError(
            f"the pipeline cannot score customers ({error}); it gets a frame with {columns}"
        ) from error
    unseen = Unseen(rows, found[rows], folds_of(schema, events, rows, seed), found[held])
    return described(
        completed(schema, events),
        events,
        unseen,
        pipeline=pipeline,
        seed=seed,
        threshold=threshold,
        offer=offer,
    )


def _check_classes(path: Path, found: object) -> None:
    if not hasattr(found, "predict_proba"):
        raise ModelError(
            f"{path} holds no classifier with probabilities but {type(found).__name__}"
        )
    classes = list(getattr(found, "classes_", ()))
    if not classes:
        raise ModelError(f"{path} holds a classifier that is not fitted; call fit() and save again")
    if classes not in _LABELS:
        raise ModelError(f"{path} tells {classes} apart; expected 0 and 1, or No and Yes")


def _read_joblib(path: Path, _: Collection[str]) -> Any:  # noqa: ANN401
    import joblib  # reads plain pickles, too

    return joblib.load(path)


def _read_skops(path: Path, trusted: Collection[str]) -> Any:  # noqa: ANN401
    import skops.io

    return skops.io.loads(archive.plain(path.read_bytes()), trusted=[*TRUSTED_TYPES, *trusted])


_READERS: Mapping[str, Callable[[Path, Collection[str]], Any]] = {
    ".joblib": _read_joblib,
    ".pkl": _read_joblib,
    ".pickle": _read_joblib,
    ".skops": _read_skops,
}


def _known() -> str:
    return ", ".join(_READERS)

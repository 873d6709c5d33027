"""A pipeline of the user's own: taken as it is, measured, and scored with like one of ours."""

import sys
import types
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from builders import TELCO, CustomerEvent
from churnstream.errors import ModelError
from churnstream.model.adopt import adopt, read_pipeline
from churnstream.model.features import frame
from churnstream.model.manifest import load, save

TREE = "sklearn.tree._tree.Tree"


def labels(events: Sequence[CustomerEvent]) -> list[str]:
    """As they stand in the file."""
    return [str(event.Churn) for event in events]


@pytest.fixture(scope="module")
def theirs(customers: list[CustomerEvent]) -> Pipeline:
    """What somebody fitted on half of the customers, without a thought of churnstream."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(TELCO.categorical)), remainder="passthrough"
    )
    trees = GradientBoostingClassifier(n_estimators=20, random_state=0)
    return make_pipeline(encode, trees).fit(
        frame(TELCO, customers[:3500]), labels(customers[:3500])
    )


@pytest.fixture(scope="module")
def unseen(customers: list[CustomerEvent]) -> list[CustomerEvent]:
    """The other half."""
    return customers[3500:]


@pytest.mark.parametrize("name", ["theirs.joblib", "theirs.pkl", "theirs.skops"])
def test_a_pipeline_scores_as_where_it_was_fitted(
    theirs: Pipeline, unseen: list[CustomerEvent], tmp_path: Path, name: str
) -> None:
    """From any kind of file, through a saved model and back, the probabilities stay."""
    path = tmp_path / name
    skops.io.dump(theirs, path) if name.endswith("skops") else joblib.dump(theirs, path)
    manifest = save(adopt(read_pipeline(path, [TREE]), TELCO, unseen), tmp_path / "model", [TREE])
    model = load(tmp_path / "model", [TREE])

    expected = theirs.predict_proba(frame(TELCO, unseen))[:, 1]
    np.testing.assert_allclose(model.score(unseen), expected, rtol=0, atol=1e-9)
    assert manifest.rows == len(unseen) == manifest.test.rows + manifest.out_of_fold.rows
    assert 0.8 < manifest.test.roc_auc < 0.9


def test_it_is_not_fitted_again(theirs: Pipeline, unseen: list[CustomerEvent]) -> None:
    """What it was fitted on is not what it is measured on."""
    before = joblib.hash(theirs)
    adopt(theirs, TELCO, unseen)

    assert joblib.hash(theirs) == before


def test_types_are_trusted_by_name(
    theirs: Pipeline, unseen: list[CustomerEvent], tmp_path: Path
) -> None:
    """Who saves and who loads must both say that they trust compiled trees."""
    model = adopt(theirs, TELCO, unseen)
    with pytest.raises(ModelError, match=f"not trust {TREE}; .*--trust TYPE"):
        save(model, tmp_path)
    save(model, tmp_path, [TREE])
    with pytest.raises(ModelError, match=f"not trusted: {TREE}; .*--trust TYPE"):
        load(tmp_path)
    load(tmp_path, [TREE])


def test_a_classifier_need_not_be_a_pipeline(unseen: list[CustomerEvent], tmp_path: Path) -> None:
    """A bare classifier that takes the raw columns becomes a pipeline of one step."""
    bare = DummyClassifier().fit(frame(TELCO, unseen), [label == "Yes" for label in labels(unseen)])
    joblib.dump(bare, tmp_path / "bare.joblib")

    assert len(read_pipeline(tmp_path / "bare.joblib")) == 1


def test_other_columns(unseen: list[CustomerEvent]) -> None:
    """A pipeline that wants what events do not have is told which columns there are."""
    rows = frame(TELCO, unseen).assign(Region="north")
    encode = make_column_transformer((OneHotEncoder(), ["Region"]), remainder="drop")
    pipeline = make_pipeline(encode, DummyClassifier()).fit(rows, labels(unseen))

    with pytest.raises(ModelError, match=r"cannot score customers .*; it gets a frame with gender"):
        adopt(pipeline, TELCO, unseen)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (LinearRegression(), "holds no classifier with probabilities but LinearRegression"),
        (DummyClassifier().fit([[0], [1], [2]], [0, 1, 2]), r"tells \[.*2.*\] apart"),
        (DummyClassifier().fit([[0], [1]], ["stays", "leaves"]), "expected 0 and 1, or No and Yes"),
        (DummyClassifier(), "is not fitted"),
    ],
)
def test_what_is_no_classifier_of_churn(tmp_path: Path, content: Any, problem: str) -> None:
    """Anything else that a file can hold is refused in one line."""
    joblib.dump(content, tmp_path / "odd.joblib")

    with pytest.raises(ModelError, match=problem):
        read_pipeline(tmp_path / "odd.joblib")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_gives_no_probabilities(
    unseen: list[CustomerEvent], value: float, tmp_path: Path
) -> None:
    """Whose coefficients are no numbers is not taken, and the line says what is wrong."""
    columns = make_column_transformer((OneHotEncoder(), ["Contract"]), sparse_threshold=0)
    broken = make_pipeline(columns, LogisticRegression()).fit(frame(TELCO, unseen), labels(unseen))
    broken[-1].coef_[0, 0] = value
    path = tmp_path / "broken.joblib"
    joblib.dump(broken, path)

    with (
        np.errstate(all="ignore"),
        pytest.raises(ModelError, match=r"gives \d+ of \d+ customers no probability from 0 to 1"),
    ):
        adopt(read_pipeline(path), TELCO, unseen)


def test_a_skops_file_that_grows_is_not_unpacked(theirs: Pipeline, tmp_path: Path) -> None:
    """A small file that would fill the memory is refused before it does."""
    grown = clone(theirs)
    grown.zeros_ = np.zeros(12_500_000)
    skops.io.dump(grown, tmp_path / "grown.skops", compression=zipfile.ZIP_DEFLATED)

    with pytest.raises(ModelError, match="it unpacks to far more than its size"):
        read_pipeline(tmp_path / "grown.skops", [TREE])


class Scaler(BaseEstimator, TransformerMixin):  # type: ignore[misc]
    """Changes nothing; a class of somebody's own."""

    def fit(self, *_: Any) -> "Scaler":
        """Learn nothing."""
        return self

    def transform(self, rows: Any) -> Any:
        """The rows as they are."""
        return rows


@pytest.fixture
def own(theirs: Pipeline) -> Iterator[Pipeline]:
    """A pipeline with a class of a module that is gone when the test likes it to be."""
    module = types.ModuleType("their_own")
    sys.modules["their_own"] = module
    scaler: Any = type("Scaler", (Scaler,), {"__module__": "their_own"})
    module.Scaler = scaler  # type: ignore[attr-defined]
    yield Pipeline([("own", scaler()), *theirs.steps])
    sys.modules.pop("their_own", None)


@pytest.mark.parametrize("name", ["own.joblib", "own.pkl", "own.skops"])
def test_a_class_that_cannot_be_imported(own: Pipeline, tmp_path: Path, name: str) -> None:
    """The line says which package is missing, or which class the one that is there lacks."""
    path, trusted = tmp_path / name, [TREE, "their_own.Scaler"]
    skops.io.dump(own, path) if name.endswith("skops") else joblib.dump(own, path)

    del sys.modules["their_own"].Scaler
    with pytest.raises(ModelError, match=f"{name} needs their_own.Scaler, which the their_own"):
        read_pipeline(path, trusted)
    del sys.modules["their_own"]
    with pytest.raises(ModelError, match=f"{name} needs the Python package their_own, which is"):
        read_pipeline(path, trusted)


def test_a_model_whose_class_is_gone(
    own: Pipeline, unseen: list[CustomerEvent], tmp_path: Path
) -> None:
    """To train again would not help; to install the package does."""
    trusted = [TREE, "their_own.Scaler"]
    save(adopt(own, TELCO, unseen), tmp_path / "model", trusted)
    assert load(tmp_path / "model", trusted).version

    del sys.modules["their_own"]
    with pytest.raises(ModelError, match="needs the Python package their_own, ") as caught:
        load(tmp_path / "model", trusted)
    assert "train again" not in str(caught.value)


def test_a_class_of_a_script(own: Pipeline, tmp_path: Path) -> None:
    """What a script defines itself can be read by no other program."""
    main: Any = sys.modules["__main__"]
    main.Scaler = type("Scaler", (Scaler,), {"__module__": "__main__"})
    joblib.dump(Pipeline([("own", main.Scaler()), *own.steps[1:]]), tmp_path / "own.joblib")
    del main.Scaler

    with pytest.raises(ModelError, match="needs the class Scaler of the script that saved it"):
        read_pipeline(tmp_path / "own.joblib")


def test_what_is_not_fitted_is_named_so(
    theirs: Pipeline, unseen: list[CustomerEvent], tmp_path: Path
) -> None:
    """Before anything is made of it, as a whole or in a part."""
    for name, content in {"a": clone(theirs), "b": LogisticRegression()}.items():
        joblib.dump(content, tmp_path / f"{name}.joblib")
        with pytest.raises(ModelError, match=f"{name}.joblib holds a classifier that is not fitt"):
            read_pipeline(tmp_path / f"{name}.joblib")

    half = Pipeline([("columns", clone(theirs[0])), ("trees", theirs[-1])])
    with pytest.raises(ModelError, match="the pipeline is not fitted: "):
        adopt(half, TELCO, unseen)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is missing, damaged or of another format is named."""
    (tmp_path / "damaged.joblib").write_bytes(b"not a pickle")
    for name, problem in (
        ("missing.joblib", "there is no such file"),
        ("damaged.joblib", "cannot be read: "),
        ("model.onnx", r"its name must end in \.joblib, \.pkl, \.pickle, \.skops"),
    ):
        with pytest.raises(ModelError, match=f"{name}.*{problem}"):
            read_pipeline(tmp_path / name)

"""An adopted pipeline on disk: what could do harm is refused in one line, before it can."""

import copy
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import scipy.sparse
import sklearn
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from builders import TELCO, CustomerEvent
from churnstream.errors import ModelError
from churnstream.model import archive
from churnstream.model.features import frame
from churnstream.model.manifest import MANIFEST_NAME, load, save
from churnstream.model.train import TrainedModel
from pipelines import adopted
from saved_models import edit, exchange, refusal


@pytest.fixture(scope="module")
def quick(customers: list[CustomerEvent]) -> TrainedModel:
    """A pipeline that is fitted in no time."""
    return adopted(customers[:500])


@pytest.fixture
def folder(quick: TrainedModel, tmp_path: Path) -> Path:
    """The saved pipeline to tamper with."""
    save(quick, tmp_path / "model")
    return tmp_path / "model"


def pipeline_of(model: TrainedModel) -> Pipeline:
    """What was adopted."""
    assert model.pipeline is not None
    return model.pipeline


def test_a_model_that_could_not_be_loaded_is_not_saved(
    customers: list[CustomerEvent], tmp_path: Path
) -> None:
    """An estimator of types that are not trusted is refused before anything is written."""
    model = adopted(customers[:200], RandomForestClassifier(2, random_state=0))

    with pytest.raises(ModelError, match=r"not saved: .*sklearn\.tree\._tree\.Tree"):
        save(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_loaded_pipeline_scores_as_the_saved_one(
    quick: TrainedModel, customers: list[CustomerEvent], folder: Path
) -> None:
    """Saving and loading changes neither scores nor what is known of it."""
    model = load(folder)

    expected = pipeline_of(quick).predict_proba(frame(TELCO, customers))[:, 1]
    np.testing.assert_allclose(model.score(customers), expected, rtol=0, atol=1e-12)
    assert (model.formula, model.manifest.kind, model.manifest.choice) == (None, "pipeline", None)
    assert model.manifest.estimator == "LogisticRegression(solver='newton-cholesky')"


def test_a_pipeline_that_scores_otherwise_is_refused(
    customers: list[CustomerEvent], folder: Path
) -> None:
    """Another pipeline under this manifest does not reproduce the reference rows."""
    exchange(folder, skops.io.dumps(pipeline_of(adopted(customers[500:1000]))))

    assert "fails its self-check: probabilities are off by 0." in refusal(folder)


def test_a_pipeline_is_no_sum_of_terms(folder: Path) -> None:
    """A manifest that says that it is one finds no file of its kind."""
    edit(folder, kind="sum")

    assert ".json is missing; train again" in refusal(folder)


@pytest.mark.parametrize("theirs", ["0.24.2", "99.0.0"])
def test_another_scikit_learn_is_refused_with_both_versions(theirs: str, folder: Path) -> None:
    """A model of another minor version of scikit-learn is refused before it is loaded."""
    edit(folder, libraries={"scikit-learn": theirs})

    line = refusal(folder)
    assert f"was saved with scikit-learn {theirs}, installed is {sklearn.__version__}" in line


def test_another_patch_of_scikit_learn_is_fine(folder: Path) -> None:
    """The last part of the version may differ."""
    minor = sklearn.__version__.rsplit(".", 1)[0]
    edit(folder, libraries={"scikit-learn": f"{minor}.999"})

    assert load(folder).threshold > 0


class Exploit:
    """Would write a file when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.target,)


def test_a_pickle_is_refused_and_not_run(folder: Path, tmp_path: Path) -> None:
    """A pickle with the right digest is no skops file, and nothing in it comes to life."""
    exchange(folder, pickle.dumps(Exploit(tmp_path / "proof")))

    assert "is no pipeline (File is not a zip file)" in refusal(folder)
    assert not (tmp_path / "proof").exists()


def test_an_untrusted_type_is_refused(folder: Path) -> None:
    """A pipeline with a function that is not on the list is refused, and the function named."""
    pipeline = make_pipeline(FunctionTransformer(os.system), LogisticRegression())
    exchange(folder, skops.io.dumps(pipeline))

    assert "holds types that are not trusted: posix.system; if you know" in refusal(folder)


def test_something_else_than_a_pipeline_is_refused(folder: Path) -> None:
    """A trusted object of another kind is refused by its type."""
    exchange(folder, skops.io.dumps([1, 2, 3]))

    assert "holds no pipeline but list" in refusal(folder)


def test_a_pipeline_that_cannot_score_is_refused(folder: Path) -> None:
    """An unfitted pipeline fails the self-check."""
    exchange(folder, skops.io.dumps(make_pipeline(LogisticRegression())))

    assert "cannot score customers (" in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_coefficients_that_are_no_numbers_are_not_saved(
    customers: list[CustomerEvent], tmp_path: Path, value: float
) -> None:
    """A model that has gone wrong does not take the place of one that works."""
    model = adopted(customers[:500])
    pipeline_of(model)[-1].coef_[0, -1] = value

    with pytest.raises(ModelError, match=r"cannot score customers|no probability from"):
        save(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_category_that_leads_to_no_probability_is_refused(
    quick: TrainedModel, folder: Path
) -> None:
    """Also where none of the rows in the manifest has it."""
    manifest = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    rows = [r for r in manifest["reference"] if r["event"]["Contract"] != "Two year"]
    edit(folder, reference=rows)
    pipeline = load(folder).pipeline
    encoder = pipeline[0].named_transformers_["categories"]
    known = [category for each in encoder.categories_ for category in each]
    column = len(TELCO.numeric) + known.index("Two year")
    gap = StandardScaler().fit(pipeline[0].transform(frame(TELCO, quick.held_out)))
    gap.mean_, gap.scale_ = np.zeros_like(gap.mean_), np.ones_like(gap.scale_)
    gap.scale_[column] = 5e-324  # 1 / 5e-324 is infinite, 0 / 5e-324 is not
    pipeline.steps.insert(1, ("gap", gap))
    exchange(folder, skops.io.dumps(pipeline))

    assert "cannot score customers" in refusal(folder) or "no probability" in refusal(folder)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def array_of(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """An array whose header names a shape, whatever follows."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue() + content


def lying(content: bytes, size: int) -> bytes:
    """A compressed archive of one member, whose declared size and checksum are those of less."""
    real = zipfile.ZipFile(io.BytesIO(content)).infolist()[0]
    short = zlib.crc32(bytes(size))
    old = struct.pack("<II", real.compress_size, real.file_size)
    new = struct.pack("<II", real.compress_size, size)
    return content.replace(old, new).replace(struct.pack("<I", real.CRC), struct.pack("<I", short))


ZEROS = bytes(100_000_000)
BOMBS = {
    "deflated": lambda: zipped({"schema.json": b"{}", "1.npy": ZEROS}),
    "many": lambda: zipped({f"{n}.bin": ZEROS[:5_000_000] for n in range(20)}),
    "nested": lambda: zipped({"1.npz": zipped({"data.npy": ZEROS})}, zipfile.ZIP_STORED),
    "bzip2": lambda: zipped({"1.npy": ZEROS}, zipfile.ZIP_BZIP2),
    "lzma": lambda: zipped({"1.npy": ZEROS}, zipfile.ZIP_LZMA),
    "lying": lambda: lying(zipped({"1.bin": ZEROS}), 1000),
    "shape": lambda: zipped({"1.npy": array_of((10**9,))}, zipfile.ZIP_STORED),
    "shape squared": lambda: zipped({"1.npy": array_of((10**9, 10**9))}, zipfile.ZIP_STORED),
    "shape below zero": lambda: zipped({"1.npy": array_of((-1,), bytes(8))}, zipfile.ZIP_STORED),
    "references": lambda: zipped(
        {
            "1.bin": bytes(300_000),
            "schema.json": json.dumps([{"file": "1.bin"}] * 1000).encode(),
        },
        zipfile.ZIP_STORED,
    ),
    "deep": lambda: zipped({"schema.json": b"[" * 100_000}, zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_archive_that_holds_too_much_is_refused(folder: Path, bomb: str) -> None:
    """What a pipeline unpacks to stays within what its size lets expect, whatever it declares."""
    exchange(folder, BOMBS[bomb]())
    tracemalloc.start()
    try:
        line = refusal(folder)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "is no pipeline (" in line
    assert most < 60_000_000


def test_a_pipeline_that_grows_is_refused(quick: TrainedModel, folder: Path) -> None:
    """A pipeline that would work is refused, too, if a small file of it fills the memory."""
    pipeline = copy.deepcopy(pipeline_of(quick))
    pipeline[-1].zeros_ = np.zeros(12_500_000)
    content = skops.io.dumps(pipeline, compression=zipfile.ZIP_DEFLATED)
    assert len(content) < 1_000_000
    exchange(folder, content)

    assert "it unpacks to far more than its size" in refusal(folder)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_compressed_pipeline_is_read(
    quick: TrainedModel, customers: list[CustomerEvent], folder: Path, method: int
) -> None:
    """Compression as such is no fault."""
    exchange(folder, skops.io.dumps(pipeline_of(quick), compression=method))

    expected = pipeline_of(quick).predict_proba(frame(TELCO, customers[:20]))[:, 1]
    np.testing.assert_allclose(load(folder).score(customers[:20]), expected, rtol=0, atol=1e-12)


def test_sparse_parts_are_read() -> None:
    """An archive within the archive, as sparse matrices are kept, comes out as it went in."""
    matrix = scipy.sparse.random(200, 200, 0.1, random_state=0)
    content = archive.plain(skops.io.dumps(matrix))

    found = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    assert (found != matrix).nnz == 0

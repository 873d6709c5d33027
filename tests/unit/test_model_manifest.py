"""A model on disk: what was saved comes back, and everything else is refused in one line."""

import copy
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from builders import TELCO, CustomerEvent
from churnstream.errors import ModelError
from churnstream.model import archive
from churnstream.model.features import frame
from churnstream.model.manifest import FORMAT, MANIFEST_NAME, Manifest, load, save
from churnstream.model.train import TrainedModel, train


@pytest.fixture(scope="module")
def quick(customers: list[CustomerEvent]) -> TrainedModel:
    """A model that is trained in no time."""
    return train(TELCO, customers[:500], estimator=LogisticRegression(solver="newton-cholesky"))


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained model to tamper with."""
    return Path(shutil.copytree(trained, tmp_path / "model"))


def pipeline_of(folder: Path) -> Path:
    """The only pipeline in a folder."""
    [path] = folder.glob("pipeline-*.skops")
    return path


def edit(folder: Path, **changes: Any) -> None:
    """Change fields of a manifest."""
    path = folder / MANIFEST_NAME
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | changes))


def replace_pipeline(folder: Path, content: bytes) -> None:
    """Exchange the pipeline for another, and give the manifest its digest."""
    digest = hashlib.sha256(content).hexdigest()
    pipeline_of(folder).unlink()
    (folder / f"pipeline-{digest[:16]}.skops").write_bytes(content)
    edit(folder, sha256=digest)


def refusal(folder: Path) -> str:
    """What `load` says: always one line that names the place."""
    with pytest.raises(ModelError) as caught:
        load(folder)
    line = str(caught.value)
    assert "\n" not in line
    assert str(folder) in line
    return line


def test_a_loaded_model_scores_as_the_saved_one(
    quick: TrainedModel, customers: list[CustomerEvent], tmp_path: Path
) -> None:
    """Saving and loading changes neither scores nor manifest."""
    manifest = save(quick, tmp_path / "new" / "model")
    model = load(tmp_path / "new" / "model")

    expected = quick.pipeline.predict_proba(frame(TELCO, customers))[:, 1]
    np.testing.assert_allclose(model.score(customers), expected, rtol=0, atol=1e-12)
    assert model.manifest == manifest


def test_the_manifest_describes_the_model(trained: Path) -> None:
    """The manifest holds version, digest, libraries, schema, metrics, threshold and references."""
    manifest = load(trained).manifest
    digest = hashlib.sha256(pipeline_of(trained).read_bytes()).hexdigest()

    assert manifest.sha256 == digest
    assert re.fullmatch(rf"\d{{8}}-\d{{6}}-{digest[:8]}", manifest.version)
    assert manifest.version.startswith(f"{manifest.created_at:%Y%m%d-%H%M%S}")
    assert manifest.libraries["scikit-learn"] == sklearn.__version__
    assert manifest.estimator.startswith("LogisticRegression(C=0.02")
    assert (manifest.rows, manifest.seed, len(manifest.reference)) == (7043, 42, 20)
    assert manifest.cross_validated["roc_auc"].mean > manifest.cross_validated["roc_auc"].std > 0


def test_a_new_model_takes_the_place_of_the_old(quick: TrainedModel, folder: Path) -> None:
    """After a save the folder holds the new model and the pipeline of the one before, no older."""
    old = pipeline_of(folder)
    os.utime(old, (0, 0))
    first = save(quick, folder)
    assert load(folder).version == first.version
    assert old.exists()

    second = save(quick, folder)
    assert load(folder).version == second.version
    assert not old.exists()
    assert [path.name for path in folder.glob(".*")] == []


def test_an_interrupted_save_leaves_the_old_model(
    quick: TrainedModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When writing stops before the manifest is replaced, the folder still holds the old model."""
    before = load(folder).version
    replace = Path.replace

    def fail_at_the_manifest(self: Path, target: Path) -> Path:
        if target.name == MANIFEST_NAME:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_at_the_manifest)
    with pytest.raises(ModelError, match=r"cannot be saved in .*: No space left on device"):
        save(quick, folder)
    assert load(folder).version == before


def test_a_model_that_could_not_be_loaded_is_not_saved(
    customers: list[CustomerEvent], tmp_path: Path
) -> None:
    """An estimator of types that are not trusted is refused before anything is written."""
    model = train(TELCO, customers[:200], estimator=RandomForestClassifier(2, random_state=0))

    with pytest.raises(ModelError, match=r"not saved: .*sklearn\.tree\._tree\.Tree"):
        save(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("place", ["nowhere", "model/manifest.json"])
def test_no_model_says_how_to_get_one(place: str, folder: Path) -> None:
    """A folder that does not exist, or is none, leads to the command that makes a model."""
    assert "no model in" in (line := refusal(folder.parent / place))
    assert "run: churnstream train" in line


def test_a_manifest_that_cannot_be_read_is_refused(folder: Path) -> None:
    """A fault of the file system is passed on in words."""
    (folder / MANIFEST_NAME).unlink()
    (folder / MANIFEST_NAME).mkdir()

    assert "cannot be read: Is a directory" in refusal(folder)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("tamper", [_truncate, _flip_a_bit])
def test_a_changed_pipeline_is_refused(tamper: Callable[[Path], None], folder: Path) -> None:
    """A pipeline that is not byte for byte what was saved is not even opened."""
    tamper(pipeline_of(folder))

    assert "is not the pipeline that its manifest describes (SHA-256" in refusal(folder)


def test_a_missing_pipeline_is_refused(folder: Path) -> None:
    """A manifest alone is no model."""
    pipeline_of(folder).unlink()

    assert ".skops is missing; train again" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"format":%d}' % FORMAT,
        b'{"format":"1"}',
        b"\xff",
        b'{"a":' + b"[" * 99_999,
    ],
    ids=["empty", "no field", "array", "one field", "wrong type", "not UTF-8", "deeply nested"],
)
def test_a_damaged_manifest_is_refused(content: bytes, folder: Path) -> None:
    """Anything that is no manifest is said to be none."""
    (folder / MANIFEST_NAME).write_bytes(content)

    assert "is no manifest of a model" in refusal(folder)


def test_another_format_is_refused_with_both_numbers(folder: Path) -> None:
    """A manifest of a later churnstream is recognised before its other fields are read."""
    (folder / MANIFEST_NAME).write_bytes(b'{"format":%d,"unheard":"of"}' % (FORMAT + 1))

    expected = f"has format {FORMAT + 1}, this churnstream reads format {FORMAT}; train again"
    assert expected in refusal(folder)


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


def test_terms_of_other_fields_are_refused(folder: Path) -> None:
    """A model whose terms are not those of its schema's fields is of no use."""
    content = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    fields = content["schema"]["fields"]
    for odd in ({"tenure": fields["tenure"]}, fields | {"Colour": {"type": "category"}}):
        edit(folder, schema=content["schema"] | {"fields": odd, "value": None, "segments": []})
        assert "is not sound: terms, background cannot be; train again" in refusal(folder)


def test_a_model_of_any_schema_needs_no_file_of_it(folder: Path) -> None:
    """What a customer is stands in the manifest: whoever scores needs nothing but the model."""
    assert load(folder).schema.fields == TELCO.fields
    assert load(folder).schema.label == TELCO.label


class Exploit:
    """Would write a file when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.target,)


def test_a_pickle_is_refused_and_not_run(folder: Path, tmp_path: Path) -> None:
    """A pickle with the right digest is no skops file, and nothing in it comes to life."""
    replace_pipeline(folder, pickle.dumps(Exploit(tmp_path / "proof")))

    assert "is no pipeline (File is not a zip file)" in refusal(folder)
    assert not (tmp_path / "proof").exists()


def test_an_untrusted_type_is_refused(folder: Path) -> None:
    """A pipeline with a function that is not on the list is refused, and the function named."""
    pipeline = make_pipeline(FunctionTransformer(os.system), LogisticRegression())
    replace_pipeline(folder, skops.io.dumps(pipeline))

    assert "holds types that are not trusted: posix.system; if you know" in refusal(folder)


def test_something_else_than_a_pipeline_is_refused(folder: Path) -> None:
    """A trusted object of another kind is refused by its type."""
    replace_pipeline(folder, skops.io.dumps([1, 2, 3]))

    assert "holds no pipeline but list" in refusal(folder)


def test_a_pipeline_that_cannot_score_is_refused(folder: Path) -> None:
    """An unfitted pipeline fails the self-check."""
    replace_pipeline(folder, skops.io.dumps(make_pipeline(LogisticRegression())))

    assert "cannot score customers (" in refusal(folder)


def test_a_model_that_scores_otherwise_is_refused(quick: TrainedModel, folder: Path) -> None:
    """Another pipeline under this manifest does not reproduce the reference rows."""
    replace_pipeline(folder, skops.io.dumps(quick.pipeline))

    assert "fails its self-check: probabilities are off by 0." in refusal(folder)


def test_a_manifest_without_reference_rows_is_refused(folder: Path) -> None:
    """The self-check cannot be left out."""
    edit(folder, reference=[])

    assert "is no manifest of a model" in refusal(folder)


def test_the_schema_of_a_manifest_is_stable(trained: Path) -> None:
    """Reading and writing a manifest changes nothing in it."""
    content = (trained / MANIFEST_NAME).read_bytes()
    manifest = msgspec.json.decode(content, type=Manifest)

    assert msgspec.json.format(msgspec.json.encode(manifest)) == content


def test_scoring_by_terms_needs_no_scikit_learn(trained: Path) -> None:
    """A consumer starts without the seconds that scikit-learn's import takes."""
    code = (
        "import sys; from pathlib import Path; import msgspec, churnstream.model.champion\n"
        "from churnstream.model.manifest import load\n"
        "model = load(Path(sys.argv[1]))\n"
        "from churnstream.schema.record_types import event_type\n"
        "kind = event_type(model.schema)\n"
        "events = [msgspec.convert(row.event, kind) for row in model.manifest.reference]\n"
        "model.score(events); model.explainer\n"
        "print([name for name in ('sklearn', 'scipy', 'pandas', 'skops') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(trained)], capture_output=True, text=True, check=True
    )

    assert ran.stdout == "[]\n"


# ---- figures that cannot be, and archives that hold too much ----


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("threshold", 1e308),
        ("threshold", -0.1),
        ("threshold", 1.1),
        ("rows", -1),
        ("seed", -1),
        ("seed", 2**32),
        ("version", "\x1b[31m"),
        ("version", "v" * 100),
        ("test/roc_auc", 1.5),
        ("test/log_loss", -1),
        ("test/lift_top_decile", 1e300),
        ("test/positives", -1),
        ("out_of_fold/brier", 2),
        ("cross_validated/roc_auc/std", -1),
        ("cross_validated/roc_auc/mean", 1e308),
        ("decision/offer/success_rate", 2),
        ("decision/offer/cost", -1),
        ("decision/test/threshold", 7),
        ("decision/curve/0/offered", 1.5),
        ("reference/0/probability", 1.5),
        ("reference/0/event/tenure", -1),
        ("background/bins/Contract/counts/One year", -1),
        ("background/bins/tenure/edges/0", 1e9),
        ("background/bins/tenure/counts", {"to 1": 0}),
        ("background/bins/Contract/counts", {}),
        ("background/bins/Contract/counts", {"One year": 0}),
        ("background/mean_terms/Contract", 1e308),
        ("terms/base", 1e308),
        ("terms/tables/SeniorCitizen/1", -1e300),
        ("terms/tables/SeniorCitizen", {"1": 0}),
        ("terms/tables/Contract/One year", 1e308),
        ("terms/curves/tenure/coefficients/0/0", 1e308),
        ("terms/curves/tenure/coefficients/0", []),
        ("terms/curves/tenure/coefficients/0", [1.0]),
        ("terms/curves/tenure/coefficients", []),
        ("terms/curves/tenure/knots/0", 700),
        ("terms/curves/tenure/knots", [0]),
        ("terms/curves", {}),
        ("terms/tables/Contract", {"One year": 0}),
        ("terms/tables/Colour", {"red": 0}),
        ("schema/fields/Contract/values", []),
        ("schema/fields/Contract/values", ["One year"]),
        ("schema/fields/tenure/type", "category"),
        ("schema/fields/tenure/min", 1e300),
        ("schema/fields/Colour", {"type": "number"}),
        ("schema/id", "tenure"),
        ("schema/value", "Contract"),
        ("schema/segments", ["Colour"]),
    ],
)
def test_a_figure_that_cannot_be_is_refused(folder: Path, path: str, value: Any) -> None:
    """Every number of a manifest has bounds, and its parts go together."""
    manifest = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    *above, last = path.split("/")
    part = manifest
    for name in above:
        part = part[int(name) if isinstance(part, list) else name]
    part[int(last) if isinstance(part, list) else last] = value
    (folder / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))

    assert refusal(folder)


@pytest.mark.parametrize("part", ["bins", "cross_validated"])
def test_a_part_that_is_missing_is_refused(folder: Path, part: str) -> None:
    """Whoever reads a manifest finds all of its figures."""
    manifest = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    del (manifest["background"][part] if part == "bins" else manifest[part])[
        "Contract" if part == "bins" else "brier"
    ]
    (folder / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))

    assert " is not sound: " in refusal(folder)


def test_a_manifest_that_is_far_too_large_is_refused(folder: Path) -> None:
    """It is not even read to its end."""
    with (folder / MANIFEST_NAME).open("r+b") as file:
        file.truncate(65 * 2**20)

    assert "manifest.json is larger than 64 MiB" in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_coefficients_that_are_no_numbers_are_not_saved(
    customers: list[CustomerEvent], tmp_path: Path, value: float
) -> None:
    """A model that has gone wrong does not take the place of one that works."""
    model = train(TELCO, customers[:500], estimator=LogisticRegression(solver="newton-cholesky"))
    model.pipeline[-1].coef_[0, -1] = value

    with pytest.raises(ModelError, match=r"cannot score customers|no probability from"):
        save(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_category_that_leads_to_no_probability_is_refused(
    quick: TrainedModel, tmp_path: Path
) -> None:
    """Also where none of the rows in the manifest has it."""
    folder = tmp_path / "model"
    save(quick, folder)
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
    replace_pipeline(folder, skops.io.dumps(pipeline))

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
    replace_pipeline(folder, BOMBS[bomb]())
    edit(folder, terms=None)
    tracemalloc.start()
    try:
        line = refusal(folder)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "is no pipeline (" in line
    assert most < 60_000_000


def test_a_pipeline_that_grows_is_refused(quick: TrainedModel, tmp_path: Path) -> None:
    """A pipeline that would work is refused, too, if a small file of it fills the memory."""
    save(quick, tmp_path / "model")
    pipeline = copy.deepcopy(quick.pipeline)
    pipeline[-1].zeros_ = np.zeros(12_500_000)
    content = skops.io.dumps(pipeline, compression=zipfile.ZIP_DEFLATED)
    assert len(content) < 1_000_000
    replace_pipeline(tmp_path / "model", content)

    assert "it unpacks to far more than its size" in refusal(tmp_path / "model")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_compressed_pipeline_is_read(
    quick: TrainedModel, customers: list[CustomerEvent], tmp_path: Path, method: int
) -> None:
    """Compression as such is no fault."""
    folder = tmp_path / "model"
    save(quick, folder)
    pipeline = skops.io.dumps(quick.pipeline, compression=method)
    replace_pipeline(folder, pipeline)

    expected = quick.pipeline.predict_proba(frame(TELCO, customers[:20]))[:, 1]
    np.testing.assert_allclose(load(folder).score(customers[:20]), expected, rtol=0, atol=1e-12)


def test_sparse_parts_are_read(tmp_path: Path) -> None:
    """An archive within the archive, as sparse matrices are kept, comes out as it went in."""
    matrix = scipy.sparse.random(200, 200, 0.1, random_state=0)
    content = archive.plain(skops.io.dumps(matrix))

    found = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    assert (found != matrix).nnz == 0

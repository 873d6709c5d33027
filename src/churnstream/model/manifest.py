"""A model on disk: what scores, in a form that runs no code, and the manifest that vouches for it.

    FOLDER/manifest.json               what the model is, and the digest of what scores
    FOLDER/terms-<digest>.json         a sum of terms or
    FOLDER/trees-<digest>.json         boosted trees, as `churnstream train` makes them, or
    FOLDER/pipeline-<digest>.skops     a pipeline of somebody's own, as `churnstream adopt` takes it

What scores goes by its digest and is written first; replacing manifest.json is the moment at
which the new model is there. So a reader sees the old model or the new one, never half of either,
and a running consumer may load from a folder that is being written to.
"""

import hashlib
import platform
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec

from churnstream import safe_files
from churnstream.errors import ModelError
from churnstream.model.background import Background, Reference
from churnstream.model.checks import check_fits, check_reference, check_sound
from churnstream.model.formula import in_words, read_formula
from churnstream.model.kinds import Choice, Kind
from churnstream.model.pipeline_file import TRAIN_AGAIN, checked, pack, unpack
from churnstream.model.profit import Decision, Threshold
from churnstream.model.quality import Count, Metrics, Spread
from churnstream.model.reading import read_bounded, read_checked
from churnstream.model.scorer import Model
from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.schema import Schema

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from churnstream.model.train import TrainedModel

FORMAT = 4
MANIFEST_NAME = "manifest.json"

_LIBRARIES = ("churnstream", "numpy", "pandas", "scikit-learn", "scipy", "skops")
_MAX_JSON = 64 * 2**20  # bytes; a manifest has some 50,000, a formula up to a few million
_MAX_PIPELINE = 2 * 2**30


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a model besides what scores.

    Attributes:
        format: Of this file; another one is refused.
        version: `YYYYMMDD-HHMMSS-<first 8 of sha256>`, UTC.
        kind: What scores.
        sha256: Of the file that scores.
        python: Version that trained it.
        libraries: Installed versions by distribution name.
        estimator: In words, or the last step of a pipeline in scikit-learn's notation.
        choice: Why it is of this kind; None for a pipeline.
        seed: Of the split and of the folds.
        data_sha256: Of the training data: IDs, features and labels.
        rows: Number of training events, the test part included.
        threshold: The probability at which a customer is called a churner.
        decision: How the threshold was chosen, and what it is worth.
        schema: What a customer is, every category with its values.
        test: Metrics on the held-out part.
        cross_validated: Metrics over the folds of the training part.
        out_of_fold: Metrics on the pooled predictions of those folds.
        reference: Rows that a loaded model must score as this one did.
        background: The customers it was fitted on in figures, for drift.
    """

    format: int
    version: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
    created_at: datetime
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    python: str
    libraries: dict[str, str]
    kind: Kind | Literal["pipeline"]
    estimator: str
    choice: Choice | None
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    data_sha256: str
    rows: Count
    threshold: Threshold
    decision: Decision
    schema: Schema
    test: Metrics
    cross_validated: dict[str, Spread]
    out_of_fold: Metrics
    reference: Annotated[tuple[Reference, ...], msgspec.Meta(min_length=1, max_length=1000)]
    background: Background

    @property
    def file_name(self) -> str:
        """Of the file beside the manifest, which scores."""
        digest = self.sha256[:16]
        if self.kind == "pipeline":
            return f"pipeline-{digest}.skops"
        return f"{'trees' if self.kind == 'trees' else 'terms'}-{digest}.json"


class _Format(msgspec.Struct):
    """The one field that every format of the manifest has."""

    format: int


class Packed(NamedTuple):
    """A model as it will stand on disk.

    Attributes:
        content: Of the file that scores.
    """

    manifest: Manifest
    content: bytes
    model: Model


def packed(trained: "TrainedModel", trusted: Collection[str] = ()) -> Packed:
    """A trained model in the form in which it is saved, checked as `load` would.

    Args:
        trusted: Types that may be in a pipeline beyond `TRUSTED_TYPES`.

    Raises:
        ModelError: `load` would refuse it.
    """
    content = _content(trained, trusted)
    manifest = _describe(trained, hashlib.sha256(content).hexdigest())
    try:
        found = msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest)
    except msgspec.ValidationError as error:  # a figure that is no number, for example
        raise ModelError(f"the model is not saved: its manifest is no good ({error})") from error
    path = Path(found.file_name)
    check_sound(found, path.parent)
    if found.kind == "pipeline":
        model = Model(found, None, lambda: _pipeline_of(trained))
    else:
        model = Model(found, read_formula(path, content, found.kind, found.schema))
    check_reference(model, path)
    return Packed(manifest, content, model)


def write(found: Packed, folder: Path) -> None:
    """Put a model into a folder, in place of the one that is there.

    Raises:
        ModelError: The folder cannot be written.
    """
    _replace(folder, found.manifest, found.content)


def save(trained: "TrainedModel", folder: Path, trusted: Collection[str] = ()) -> Manifest:
    """`packed`, then `write`."""
    found = packed(trained, trusted)
    write(found, folder)
    return found.manifest


def _content(model: "TrainedModel", trusted: Collection[str]) -> bytes:
    """The content of the file that scores."""
    if model.formula is None:
        return pack(_pipeline_of(model), trusted)
    return msgspec.json.encode(model.formula)


def _pipeline_of(model: "TrainedModel") -> "Pipeline":
    if model.pipeline is None:
        raise ModelError("there is neither a pipeline nor a formula")
    return model.pipeline


def _replace(folder: Path, manifest: Manifest, content: bytes) -> None:
    try:
        safe_files.replace(folder / manifest.file_name, content)
        description = msgspec.json.format(msgspec.json.encode(manifest))
        safe_files.replace(folder / MANIFEST_NAME, description)
        _remove_old_files(folder)
    except OSError as error:
        raise ModelError(f"the model cannot be saved in {folder}: {error.strerror}") from error


def load(folder: Path, trusted: Collection[str] = ()) -> Model:
    """Read a model and make sure that it is the one that was saved, and that it works here.

    A pipeline comes to life only if somebody asks for it: that takes seconds of imports.

    Args:
        trusted: Types that may be in the pipeline beyond `TRUSTED_TYPES`.

    Raises:
        ModelError: There is none, or it cannot be trusted or used; says what to do. Also raised
            by `Model.pipeline`, if the file holds what `save` would not have written.
    """
    manifest = _read_manifest(folder)
    check_fits(manifest, folder)
    check_sound(manifest, folder)
    path = folder / manifest.file_name
    if manifest.kind == "pipeline":
        plain = checked(path, read_checked(path, manifest.sha256, _MAX_PIPELINE))
        model = Model(manifest, None, partial(unpack, path, plain, trusted))
    else:
        content = read_checked(path, manifest.sha256, _MAX_JSON)
        model = Model(manifest, read_formula(path, content, manifest.kind, manifest.schema))
    check_reference(model, path)
    return model


def put(model: Path, folder: Path, trusted: Collection[str] = ()) -> Model:
    """Put a saved model into another folder, in place of the one that is there.

    Raises:
        ModelError: It cannot be trusted or used, or the folder cannot be written.
    """
    found = load(model, trusted)
    _replace(folder, found.manifest, (model / found.manifest.file_name).read_bytes())
    return found


def read(folder: Path) -> bytes:
    """The manifest in a folder as it is.

    Raises:
        ModelError: There is none, or it cannot be read.
    """
    missing = f"no model in {folder}; run: churnstream train"
    return read_bounded(folder / MANIFEST_NAME, missing, _MAX_JSON)


def _describe(model: "TrainedModel", sha256: str) -> Manifest:
    now = datetime.now(UTC)
    return Manifest(
        format=FORMAT,
        version=f"{now:%Y%m%d-%H%M%S}-{sha256[:8]}",
        created_at=now,
        sha256=sha256,
        python=platform.python_version(),
        libraries={name: installed_version(name) for name in _LIBRARIES},
        kind=model.choice.kind if model.choice else "pipeline",
        estimator=in_words(model.formula) if model.formula else _last_step(model),
        choice=model.choice,
        seed=model.seed,
        data_sha256=model.digest,
        rows=model.rows,
        threshold=model.threshold,
        decision=model.decision,
        schema=model.schema,
        test=model.test,
        cross_validated=model.cross_validated,
        out_of_fold=model.out_of_fold,
        reference=model.reference,
        background=model.background,
    )


def _last_step(model: "TrainedModel") -> str:
    return " ".join(repr(_pipeline_of(model)[-1]).split())


def _remove_old_files(folder: Path) -> None:
    """All but the two newest: somebody may just have read the manifest before this one."""
    names = ("pipeline-*.skops", "terms-*.json", "trees-*.json")
    files = [path for name in names for path in folder.glob(name)]
    for path in sorted(files, key=lambda path: path.stat().st_mtime)[:-2]:
        path.unlink(missing_ok=True)


def _read_manifest(folder: Path) -> Manifest:
    path, content = folder / MANIFEST_NAME, read(folder)
    try:
        found = msgspec.json.decode(content, type=_Format).format
        if found == FORMAT:
            return msgspec.json.decode(content, type=Manifest)
    except UNDECODABLE as error:
        raise ModelError(f"{path} is no manifest of a model ({error}); {TRAIN_AGAIN}") from error
    raise ModelError(
        f"{path} has format {found}, this churnstream reads format {FORMAT}; {TRAIN_AGAIN}"
    )

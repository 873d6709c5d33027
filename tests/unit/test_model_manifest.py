"""A model on disk: what was saved comes back, and everything else is refused in one line."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sklearn

from builders import TELCO, CustomerEvent
from churnstream.errors import ModelError
from churnstream.model.event_scorer import event_scorer
from churnstream.model.manifest import FORMAT, MANIFEST_NAME, Manifest, load, save
from churnstream.model.term_scorer import probabilities
from churnstream.model.train import TrainedModel
from churnstream.model.trees import Trees
from formulas import log_odds
from pipelines import adopted
from quick import train_quickly
from saved_models import change_at, edit, exchange, refusal, scoring_file


@pytest.fixture(scope="module")
def quick(customers: list[CustomerEvent]) -> TrainedModel:
    """Another model, of few customers."""
    return train_quickly(TELCO, customers[:500])


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained model to tamper with."""
    return Path(shutil.copytree(trained, tmp_path / "model"))


def test_a_loaded_model_scores_as_the_saved_one(
    quick: TrainedModel, customers: list[CustomerEvent], tmp_path: Path
) -> None:
    """Saving and loading changes neither scores, nor terms, nor manifest."""
    manifest = save(quick, tmp_path / "new" / "model")
    model = load(tmp_path / "new" / "model")

    assert quick.formula is not None
    expected = probabilities(event_scorer(TELCO, quick.formula).log_odds(customers))
    np.testing.assert_array_equal(model.score(customers), expected)
    assert (model.manifest, model.formula) == (manifest, quick.formula)


@pytest.fixture(scope="module")
def boosted(customers: list[CustomerEvent], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of boosted trees."""
    folder: Path = tmp_path_factory.mktemp("boosted")
    save(train_quickly(TELCO, customers[:1000], kinds=["trees"]), folder)
    return folder


def test_trees_are_saved_and_loaded_as_they_are(
    boosted: Path, customers: list[CustomerEvent]
) -> None:
    """Under their own name; what was loaded scores, has reasons, and says what it is."""
    model = load(boosted)
    digest = hashlib.sha256(scoring_file(boosted).read_bytes()).hexdigest()

    assert isinstance(model.formula, Trees)
    assert scoring_file(boosted).name == f"trees-{digest[:16]}.json"
    assert (model.manifest.kind, model.manifest.estimator) == (
        "trees",
        "20 boosted trees of 19 fields",
    )
    scores = model.score(customers)
    expected = probabilities(log_odds(TELCO, model.formula, customers[:50]))
    np.testing.assert_allclose(scores[:50], expected, rtol=0, atol=1e-12)
    for reasons in model.reasons(customers, scores, "all"):
        assert reasons is not None
        assert len(reasons) == 3


def test_trees_give_way_to_another_model(
    boosted: Path, customers: list[CustomerEvent], quick: TrainedModel, tmp_path: Path
) -> None:
    """After two saves nothing is left of them."""
    folder = Path(shutil.copytree(boosted, tmp_path / "model"))
    old = scoring_file(folder)
    os.utime(old, (0, 0))
    save(quick, folder)
    assert old.exists()
    save(adopted(customers[:500]), folder)
    assert not old.exists()


@pytest.mark.parametrize(
    "tamper",
    [
        lambda trees: trees["trees"][0][0].update(left=2, right=2),
        lambda trees: trees["trees"][0][0].update(field="Colour"),
        lambda trees: trees["trees"][0].append(trees["trees"][0][-1]),
        lambda trees: trees["numbers"].append("Colour"),
        lambda trees: trees["texts"].pop("Contract"),
    ],
)
def test_trees_that_are_not_sound_are_refused(
    tamper: Callable[[Any], Any], boosted: Path, tmp_path: Path
) -> None:
    """Under the right digest as well: in one line, before anything is asked of them."""
    folder = Path(shutil.copytree(boosted, tmp_path / "model"))
    trees = msgspec.json.decode(scoring_file(folder).read_bytes())
    tamper(trees)
    exchange(folder, msgspec.json.encode(trees))

    assert "is not sound: its trees cannot be; train again" in refusal(folder)


def test_what_holds_no_trees_is_refused(boosted: Path, trained: Path, tmp_path: Path) -> None:
    """Nor does a sum pass for trees, or half of a file."""
    folder = Path(shutil.copytree(boosted, tmp_path / "model"))
    content = scoring_file(folder).read_bytes()
    others = [b"", b"{}", b"null", scoring_file(trained).read_bytes()]
    for held in [*others, *(content[:size] for size in range(0, len(content), 9973))]:
        exchange(folder, held)
        assert "holds no boosted trees" in refusal(folder)


def test_other_trees_fail_the_self_check(boosted: Path, tmp_path: Path) -> None:
    """Values that training did not leave there do not reproduce the reference rows."""
    folder = Path(shutil.copytree(boosted, tmp_path / "model"))
    trees = msgspec.json.decode(scoring_file(folder).read_bytes())
    exchange(folder, msgspec.json.encode(trees | {"start": trees["start"] + 0.1}))

    assert "fails its self-check: probabilities are off by 0." in refusal(folder)


def test_the_manifest_describes_the_model(trained: Path) -> None:
    """The manifest holds version, digest, libraries, schema, metrics, threshold and references."""
    manifest = load(trained).manifest
    digest = hashlib.sha256(scoring_file(trained).read_bytes()).hexdigest()

    assert manifest.sha256 == digest
    assert re.fullmatch(rf"\d{{8}}-\d{{6}}-{digest[:8]}", manifest.version)
    assert manifest.version.startswith(f"{manifest.created_at:%Y%m%d-%H%M%S}")
    assert manifest.libraries["scikit-learn"] == sklearn.__version__
    assert (manifest.kind, manifest.estimator) == ("sum", "a sum of 19 terms")
    assert manifest.choice is not None
    assert [figures.kind for figures in manifest.choice.candidates] == ["sum", "pairs", "trees"]
    assert (manifest.rows, manifest.seed, len(manifest.reference)) == (7043, 42, 20)
    assert manifest.cross_validated["roc_auc"].mean > manifest.cross_validated["roc_auc"].std > 0


def test_a_new_model_takes_the_place_of_the_old(
    quick: TrainedModel, customers: list[CustomerEvent], folder: Path
) -> None:
    """After a save the folder holds the new model and the file of the one before, no older."""
    old = scoring_file(folder)
    os.utime(old, (0, 0))
    first = save(quick, folder)
    assert load(folder).version == first.version
    assert old.exists()

    second = save(adopted(customers[:500]), folder)
    assert load(folder).version == second.version
    assert not old.exists()
    assert [path.name for path in folder.glob(".*")] == []


def test_an_interrupted_save_leaves_the_old_model(
    quick: TrainedModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When writing stops before the manifest is replaced, the folder still holds the old model."""
    before = load(folder).version
    put = Path.replace

    def fail_at_the_manifest(self: Path, target: Path) -> Path:
        if target.name == MANIFEST_NAME:
            raise OSError(28, "No space left on device")
        return put(self, target)

    monkeypatch.setattr(Path, "replace", fail_at_the_manifest)
    with pytest.raises(ModelError, match=r"cannot be saved in .*: No space left on device"):
        save(quick, folder)
    assert load(folder).version == before


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
def test_a_changed_file_is_refused(tamper: Callable[[Path], None], folder: Path) -> None:
    """Terms that are not byte for byte what was saved are not even decoded."""
    tamper(scoring_file(folder))

    assert "is not the file that its manifest describes (SHA-256" in refusal(folder)


def test_a_missing_file_is_refused(folder: Path) -> None:
    """A manifest alone is no model."""
    scoring_file(folder).unlink()

    assert ".json is missing; train again" in refusal(folder)


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
def test_numbers_mean_the_same_to_every_scikit_learn(theirs: str, folder: Path) -> None:
    """A sum of terms goes on when the library that fitted it is another one."""
    edit(folder, libraries={"scikit-learn": theirs})

    assert load(folder).threshold > 0


def test_a_schema_of_other_fields_is_refused(folder: Path) -> None:
    """A manifest whose schema is not the one of its training customers is of no use."""
    content = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    fields = content["schema"]["fields"]
    for odd in ({"tenure": fields["tenure"]}, fields | {"Colour": {"type": "category"}}):
        edit(folder, schema=content["schema"] | {"fields": odd, "value": None, "segments": []})
        assert "is not sound: background cannot be; train again" in refusal(folder)


def test_a_model_of_any_schema_needs_no_file_of_it(folder: Path) -> None:
    """What a customer is stands in the manifest: whoever scores needs nothing but the model."""
    assert load(folder).schema.fields == TELCO.fields
    assert load(folder).schema.label == TELCO.label


def test_a_model_that_scores_otherwise_is_refused(quick: TrainedModel, folder: Path) -> None:
    """Other terms under this manifest do not reproduce the reference rows."""
    exchange(folder, msgspec.json.encode(quick.formula))

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


@pytest.mark.parametrize("place", ["trained", "boosted"])
def test_scoring_by_formula_needs_no_scikit_learn(
    place: str, request: pytest.FixtureRequest
) -> None:
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
        [sys.executable, "-c", code, str(request.getfixturevalue(place))],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == "[]\n"


# ---- figures that cannot be ----


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
        ("background/bins/Contract/edges", [0.5]),
        ("kind", "forest"),
        ("kind", "pipeline"),
        ("choice/kind", "forest"),
        ("choice/candidates/0/roc_auc", 2),
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
    change_at(manifest, path, value)
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


# ---- terms that cannot be ----


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("base", 1e16),
        ("base", None),
        ("base", 1.0),
        ("fields/Contract/terms/One year", 1e308),
        ("fields/Contract/terms/One year", "1"),
        ("fields/Contract/terms", {f"t{n}": 0.0 for n in range(1001)}),
        ("fields/Contract/other", None),
        ("fields/Contract/type", "forest"),
        ("fields/Contract", {"type": "steps", "cuts": [], "terms": [0.0], "missing": 0.0}),
        ("fields/tenure", {"type": "table", "terms": {}, "other": 0.0, "missing": 0.0}),
        ("fields/tenure/missing", -1e300),
        ("fields/tenure/coefficients/0/0", 1e308),
        ("fields/tenure/coefficients/0", []),
        ("fields/tenure/coefficients/0", [1.0]),
        ("fields/tenure/coefficients/0", [0.0] * 9),
        ("fields/tenure/coefficients", []),
        ("fields/tenure/knots/0", 700),
        ("fields/tenure/knots/0", 1000),
        ("fields/tenure/knots", [0]),
        ("fields/tenure/knots", [float(n) for n in range(1001)]),
        ("fields/Colour", {"type": "table", "terms": {}, "other": 0.0, "missing": 0.0}),
        ("fields", {}),
        ("pairs", [{"fields": ["tenure", "Contract"], "rows": [], "columns": [], "terms": [[0]]}]),
        ("pairs", [{"fields": ["tenure", "tenure"], "rows": [0], "columns": [0], "terms": [[0]]}]),
        ("pairs", None),
    ],
)
def test_terms_that_cannot_be_are_refused(folder: Path, path: str, value: Any) -> None:
    """Every number has bounds, and there is a sound term for each field of the schema."""
    terms = msgspec.json.decode(scoring_file(folder).read_bytes())
    change_at(terms, path, value)
    exchange(folder, msgspec.json.encode(terms))

    assert "train again" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"PK\x03\x04",
        b'{"base":' + b"[" * 99_999,
        b'{"base":1e999}',
    ],
    ids=["empty", "no field", "array", "null", "not UTF-8", "archive", "deeply nested", "infinite"],
)
def test_what_holds_no_terms_is_refused(content: bytes, folder: Path) -> None:
    """Anything else under the right name and digest is said to be none."""
    exchange(folder, content)

    assert "holds no sum of terms" in refusal(folder)


def test_truncated_terms_are_refused(folder: Path) -> None:
    """Also where the manifest vouches for what is left."""
    content = scoring_file(folder).read_bytes()
    for size in range(0, len(content), 997):
        exchange(folder, content[:size])
        assert "holds no sum of terms" in refusal(folder)


def test_grids_that_would_fill_the_memory_are_refused(folder: Path) -> None:
    """A few kilobytes of cells do not grow to gigabytes of terms held for scoring."""
    terms = msgspec.json.decode(scoring_file(folder).read_bytes())
    steps = {"type": "steps", "cuts": [*range(1000)], "terms": [0.0] * 1001, "missing": 0.0}
    names = TELCO.numeric
    terms["fields"] |= dict.fromkeys(names, steps)
    rows = [0] * 1002
    grid = {"rows": rows, "columns": rows, "terms": [[0.0]]}
    terms["pairs"] = [{"fields": [*pair], **grid} for pair in combinations(names, 2)]
    exchange(folder, msgspec.json.encode(terms))
    tracemalloc.start()
    try:
        line = refusal(folder)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "is not sound: its terms cannot be" in line
    assert most < 5_000_000


def test_terms_that_are_far_too_large_are_refused(folder: Path) -> None:
    """They are not even read to their end."""
    with scoring_file(folder).open("r+b") as file:
        file.truncate(65 * 2**20)

    assert ".json is larger than 64 MiB" in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_terms_that_are_no_numbers_are_not_saved(
    quick: TrainedModel, tmp_path: Path, value: float
) -> None:
    """A model that has gone wrong does not take the place of one that works."""
    assert quick.formula is not None
    wrong = msgspec.structs.replace(quick.formula, base=value)

    with pytest.raises(ModelError, match="holds no sum of terms"):
        save(replace(quick, formula=wrong), tmp_path / "model")
    assert not (tmp_path / "model").exists()

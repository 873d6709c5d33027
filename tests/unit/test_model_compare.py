"""Kinds of models side by side: the same folds for all, and figures that a page can rely on."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest

from builders import TELCO, CustomerEvent
from churnstream.cli import cli
from churnstream.errors import ConfigurationError, ModelError
from churnstream.model import compare, compared_kinds, plots
from churnstream.model.compare import FIGURES, Comparison
from churnstream.model.compared_kinds import COMPARED
from churnstream.model.profit import Offer
from churnstream.model.quality import Predictions

PAGE = Path(__file__).parents[2] / "docs" / "model.md"
DEFAULT, LINEAR = "sum of terms", "logistic regression"
TWO = {name: COMPARED[name] for name in (DEFAULT, LINEAR)}
PICTURES = ["ranking.svg", "calibration.svg", "gain.svg", "profit.svg"]


@pytest.fixture(scope="module")
def kept() -> Comparison:
    """The comparison of which docs/model.md speaks."""
    content = (PAGE.with_suffix("") / "comparison.json").read_bytes()
    return msgspec.json.decode(content, type=Comparison)


@pytest.fixture(scope="module")
def quick(customers: list[CustomerEvent]) -> tuple[Comparison, dict[str, Predictions]]:
    """Two kinds on few customers."""
    return compare.compare(TELCO, customers[:400], TWO)


def mean(comparison: Comparison, name: str, figure: str) -> float:
    """A figure of a kind of model, mean of the folds."""
    (result,) = [result for result in comparison.results if result.name == name]
    return float(np.mean(result.folds[figure]))


def test_every_customer_is_held_out_once_in_a_repeat(
    quick: tuple[Comparison, dict[str, Predictions]], customers: list[CustomerEvent]
) -> None:
    """The predictions for the pictures are of all customers, each by a model without it."""
    comparison, predictions = quick

    assert [result.name for result in comparison.results] == list(TWO)
    assert {len(values) for r in comparison.results for values in r.folds.values()} == {15}
    for found in predictions.values():
        charges = [customer.MonthlyCharges for customer in customers[:400]]
        assert sorted(found.worth.tolist()) == sorted(charges)
        assert found.labels.sum() == comparison.positives


def test_the_same_seed_gives_the_same_figures(
    quick: tuple[Comparison, dict[str, Predictions]], customers: list[CustomerEvent]
) -> None:
    """All but the times can be had again; another seed makes other folds."""
    folds = quick[0].results[0].folds
    same, other = (
        compare.compare(TELCO, customers[:400], {DEFAULT: TWO[DEFAULT]}, seed=seed)[0]
        .results[0]
        .folds
        for seed in (42, 43)
    )

    assert same == folds
    assert other != folds


def test_each_fit_is_told_of(customers: list[CustomerEvent]) -> None:
    """Whoever shows progress hears of every fit, of all kinds together."""
    told: list[int] = []
    compare.compare(TELCO, customers[:200], TWO, first_folds=2, on_fold=told.append)
    assert told == [1, 2, 3, 4]


def test_kept_figures_are_those_of_a_fresh_run(
    kept: Comparison, customers: list[CustomerEvent]
) -> None:
    """The first fold of every kind gives again what docs/model.md rests on."""
    fresh, _ = compare.compare(TELCO, customers, COMPARED, seed=kept.seed, first_folds=1)

    assert (fresh.rows, fresh.positives) == (kept.rows, kept.positives)
    for again, before in zip(fresh.results, kept.results, strict=True):
        assert again.name == before.name
        for name in FIGURES:
            assert again.folds[name][0] == pytest.approx(before.folds[name][0], abs=0.005), name


def test_the_default_reaches_its_goals(kept: Comparison, customers: list[CustomerEvent]) -> None:
    """Cross-validated three times, the default ranks and is calibrated as promised."""
    fresh, _ = compare.compare(TELCO, customers, {DEFAULT: TWO[DEFAULT]}, seed=kept.seed)

    assert mean(fresh, DEFAULT, "roc_auc") >= 0.850
    assert mean(fresh, DEFAULT, "average_precision") >= 0.672
    assert fresh.results[0].calibration_error <= 0.008
    for name in FIGURES:
        assert mean(fresh, DEFAULT, name) == pytest.approx(mean(kept, DEFAULT, name), abs=0.002)


def test_the_page_shows_the_kept_figures(kept: Comparison) -> None:
    """The table in docs/model.md is the one that its comparison.json makes."""
    text = PAGE.read_text()
    assert compare.page(text, kept) == text
    assert all(f"model/{name}" in text for name in PICTURES)


def test_a_page_keeps_its_own_words(kept: Comparison) -> None:
    """The table goes between its marks, or to the end; all else stays."""
    marked = "# Title\n<!-- figures -->\nold\n<!-- end of figures -->\nWords.\n"
    written = compare.page(marked, kept)

    assert re.sub(r"(?<=figures -->\n).*(?=<!-- end)", "old\n", written, flags=re.DOTALL) == marked
    assert [name for name in COMPARED if f"| {name} |" not in written] == []
    assert compare.page("# Title\n", kept).startswith("# Title\n<!-- figures -->\n\n| model |")


def test_a_place_that_cannot_be_written(kept: Comparison, tmp_path: Path) -> None:
    """A folder that cannot be made ends in one line."""
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"cannot write .*/file/comparison.json: "):
        compare.save(kept, tmp_path / "file")
    with pytest.raises(ModelError, match=r"no pictures in .*/file: "):
        plots.draw({}, Offer(), tmp_path / "file")


def test_pictures(quick: tuple[Comparison, dict[str, Predictions]], tmp_path: Path) -> None:
    """Each picture is SVG with a line for each kind, and the same for the same figures."""
    drawn = plots.draw(quick[1], Offer(), tmp_path / "a")
    again = plots.draw(quick[1], Offer(), tmp_path / "b")

    assert [path.name for path in drawn] == PICTURES
    for path, same in zip(drawn, again, strict=True):
        assert path.read_bytes() == same.read_bytes()
        texts = {element.text for element in ET.parse(path).iter() if element.text}
        assert texts.issuperset(TWO)


def test_pictures_need_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the command ends before the long work, and says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'churnstream\[plots\]'"):
        cli.main(["train", "--compare"], standalone_mode=False)


@pytest.mark.parametrize(
    "flags",
    ["--promote never", "--report page.md", "--compare --mlflow --promote always"],
)
def test_flags_that_would_do_nothing_are_wrong_use(flags: str) -> None:
    """What belongs to another kind of training ends the command before it trains."""
    with pytest.raises(ConfigurationError, match=r"^--(promote|report) goes with --"):
        cli.main(["train", *flags.split()], standalone_mode=False)


def test_a_model_is_trained_into_a_folder() -> None:
    """An address of the registry is no place to save to."""
    with pytest.raises(ConfigurationError, match=r"^models:/a@b: a model is saved in a folder"):
        cli.main(["train", "--model", "models:/a@b"], standalone_mode=False)


def test_the_command_writes_page_figures_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`train --compare` shows the table, and leaves a page with its folder."""
    monkeypatch.setattr(compared_kinds, "COMPARED", {LINEAR: COMPARED[LINEAR]})
    monkeypatch.chdir(tmp_path)
    cli.main(["train", "--compare", "--report", "page.md"], standalone_mode=False)

    assert LINEAR in capsys.readouterr().out
    assert f"| {LINEAR} | 0.84" in (tmp_path / "page.md").read_text()
    left = sorted(path.name for path in (tmp_path / "page").iterdir())
    assert left == sorted([*PICTURES, "comparison.json"])
    assert not (tmp_path / "models").exists()

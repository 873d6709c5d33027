"""The public names: what a notebook or another service builds on."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

import churnstream as cs
from builders import CustomerEvent
from churnstream.codecs.customer_rows import open_rows
from churnstream.errors import ConfigurationError, DataError
from churnstream.model.manifest import save
from churnstream.model.predict_file import score_file
from churnstream.model.scorer import Model
from churnstream.schema.fields import Boolean, Category, Integer, Number
from churnstream.schema.schema import Label, Schema
from pipelines import adopted

SCHEMA = Schema(
    name="bank",
    id="CustomerId",
    label=Label("Exited", "1", "0"),
    fields={
        "CreditScore": Integer(min=0),
        "Geography": Category(values=("France", "Germany", "Spain")),
        "Balance": Number(min=0, missing="allow"),
        "HasCrCard": Boolean(),
    },
)
ADDED = ["churn_probability", "prediction", "reasons", "error"]
Make = Callable[[dict[str, list[Any]]], Any]
LIBRARIES = [pd.DataFrame, pl.DataFrame, pa.table]


def bank(rows: int = 200) -> dict[str, list[Any]]:
    """Customers of a bank, by column; those of Germany leave more often."""
    random = np.random.default_rng(0)
    places = random.choice(["France", "Germany", "Spain"], rows)
    left = random.random(rows) < np.where(places == "Germany", 0.6, 0.2)
    return {
        "CustomerId": [f"1563{n:04}" for n in range(rows)],
        "CreditScore": random.integers(300, 850, rows).tolist(),
        "Geography": places.tolist(),
        "Balance": [None if n % 9 == 0 else float(n * 100) for n in range(rows)],
        "HasCrCard": random.integers(0, 2, rows).tolist(),
        "Exited": left.astype(int).tolist(),
    }


@pytest.fixture(scope="module")
def model() -> cs.ChurnModel:
    """Trained on a pandas frame."""
    return cs.train(pd.DataFrame(bank()), SCHEMA)


def columns_of(frame: Any) -> dict[str, list[Any]]:
    """What a frame of any library holds, missing values as None."""
    held: dict[str, list[Any]] = nw.from_native(frame, eager_only=True).to_arrow().to_pydict()
    return held


def test_the_names_are_these_and_no_others() -> None:
    """Whoever adds or takes one away does so knowingly; each of them is there, and documented."""
    assert sorted(cs.__all__) == [
        "ChurnModel",
        "ChurnstreamError",
        "Schema",
        "ScoredCustomer",
        "StreamScorer",
        "infer_schema",
        "load_model",
        "load_schema",
        "train",
    ]
    assert all(getattr(cs, name).__doc__ for name in cs.__all__)
    assert set(cs.__all__) < set(dir(cs))
    with pytest.raises(AttributeError, match="has no attribute 'tain'"):
        _ = cs.tain
    public = {name for name in dir(cs.ChurnModel) if not name.startswith("_")}
    assert public == {"save", "schema", "score", "score_batches", "test", "threshold", "version"}


def test_the_import_is_light() -> None:
    """`import churnstream` alone brings nothing that takes time, whatever is asked for later."""
    code = (
        "import sys, churnstream\n"
        "print([name for name in sys.modules if name.partition('.')[0] in (\n"
        "    'numpy', 'pandas', 'pyarrow', 'sklearn', 'scipy', 'polars', 'narwhals', 'msgspec',\n"
        "    'confluent_kafka', 'click', 'pydantic', 'structlog', 'skops')])\n"
        "print([name for name in sys.modules if name.startswith('churnstream.')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n[]\n"


@pytest.mark.parametrize("make", LIBRARIES)
def test_a_frame_comes_back_in_its_own_library(make: Make, model: cs.ChurnModel) -> None:
    """With its columns as they were, and the same answers in each."""
    frame = make(bank())
    scored = model.score(frame)

    assert type(scored) is type(frame)
    found, before = columns_of(scored), columns_of(frame)
    assert list(found) == [*before, *ADDED]
    assert {name: found[name] for name in before} == before
    wanted = columns_of(model.score(pd.DataFrame(bank())))
    assert [found[name] for name in ADDED] == [wanted[name] for name in ADDED]
    assert found["error"] == [None] * 200
    assert all(0 < probability < 1 for probability in found["churn_probability"])
    says = ["Yes" if p >= model.threshold else "No" for p in found["churn_probability"]]
    assert found["prediction"] == says
    assert all(len(reasons) == 3 for reasons in found["reasons"])


@pytest.mark.parametrize("make", LIBRARIES)
def test_a_frame_trains_as_the_same_frame_of_another_library(
    make: Make, model: cs.ChurnModel
) -> None:
    """The same data, the same model."""
    again = cs.train(make(bank()), SCHEMA)

    assert again.model.formula == model.model.formula
    assert again.model.manifest.data_sha256 == model.model.manifest.data_sha256
    assert again.test == model.test


def test_columns_may_stand_in_another_order_and_spelling(model: cs.ChurnModel) -> None:
    """Names are matched where that is unambiguous; further columns are let through."""
    held = bank(20)
    other = {
        "notes": ["x"] * 20,
        "has_cr_card": held["HasCrCard"],
        "BALANCE": held["Balance"],
        "geography": held["Geography"],
        "Credit Score": held["CreditScore"],
        "customer_id": held["CustomerId"],
    }
    found, wanted = (columns_of(model.score(pl.DataFrame(frame))) for frame in (other, held))

    assert [found[name] for name in ADDED] == [wanted[name] for name in ADDED]
    assert list(found) == [*other, *ADDED]


def test_values_may_be_of_another_type(model: cs.ChurnModel) -> None:
    """What means the same scores the same: texts, whole floats, flags, categories of pandas."""
    held = bank(20)
    frame = pd.DataFrame(held)
    other = frame.assign(
        CreditScore=frame["CreditScore"].astype(float),
        Geography=frame["Geography"].astype("category"),
        Balance=frame["Balance"].map(lambda balance: "" if np.isnan(balance) else f"{balance}"),
        HasCrCard=frame["HasCrCard"].map({0: "No", 1: "Yes"}),
        CustomerId=frame["CustomerId"].astype(int),
    )
    found, wanted = (columns_of(model.score(each)) for each in (other, frame))

    assert [found[name] for name in ADDED] == [wanted[name] for name in ADDED]


@pytest.mark.parametrize("make", LIBRARIES)
def test_rows_that_cannot_be_scored_say_why(make: Make, model: cs.ChurnModel) -> None:
    """They keep their place, without a probability, and the others are scored."""
    held = bank(6)
    held["Geography"] = ["France", "Atlantis", "Spain", None, "Germany", "France"]
    held["CreditScore"] = [600, 600, -1, 600, 600, 600]
    found = columns_of(model.score(make(held)))

    assert [p is None for p in found["churn_probability"]] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]
    assert [s is None for s in found["prediction"]] == [False, True, True, True, False, False]
    assert [r is None for r in found["reasons"]] == [False, True, True, True, False, False]
    errors = found["error"]
    assert errors[1].startswith('Geography: "Atlantis" is unknown to the model; it knows "France"')
    assert "CreditScore" in errors[2]
    assert "Geography" in errors[3]


def test_nobody_can_be_scored(model: cs.ChurnModel) -> None:
    """All rows bad, or no rows: the frame comes back with its columns all the same."""
    bad = {**bank(3), "Geography": ["Atlantis"] * 3}
    for make in LIBRARIES:
        found = columns_of(model.score(make(bad)))
        assert found["churn_probability"] == found["reasons"] == [None] * 3
    empty = pl.DataFrame(bank(3)).head(0)
    assert columns_of(model.score(empty)) == {name: [] for name in [*bank(0), *ADDED]}


@pytest.mark.parametrize("make", LIBRARIES)
@pytest.mark.parametrize("name", ADDED)
def test_no_column_of_the_frame_is_overwritten(make: Make, name: str, model: cs.ChurnModel) -> None:
    """Who scores a second time, or has a column of such a name, is told."""
    frame = make({**bank(3), name: [1, 2, 3]})
    with pytest.raises(DataError, match=f"the frame has the column {name} already, where"):
        model.score(frame)


def test_a_pipeline_scores_a_frame_as_well(
    customers: Sequence[CustomerEvent], tmp_path: Path
) -> None:
    """Rows to which it gives no probability say so, like rows that are no customers."""
    some = list(customers[:400])
    save(adopted(some), tmp_path)
    model = cs.load_model(tmp_path)
    rows = [msgspec.to_builtins(event) for event in some[:4]]
    frame = pd.DataFrame(rows).drop(columns="event_ts")
    wanted = model.model.score(some[:4]).tolist()
    assert model.score(frame)["churn_probability"].tolist() == pytest.approx(wanted, abs=1e-12)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "score", lambda *_: np.array([0.5, np.nan, 1.5, 0.25]))
        scored = model.score(frame, reasons=False)
    found = columns_of(scored)
    assert found["prediction"][1:3] == found["churn_probability"][1:3] == [None, None]
    assert [error is None for error in found["error"]] == [True, False, False, True]
    assert "no probability from 0 to 1, but 1.5" in found["error"][2]


def test_reasons_can_be_left_out(model: cs.ChurnModel) -> None:
    """For whoever only wants the numbers."""
    found = columns_of(model.score(pl.DataFrame(bank(5)), reasons=False))
    assert list(found)[-3:] == ["churn_probability", "prediction", "error"]


def test_customers_need_no_id_and_no_label(model: cs.ChurnModel) -> None:
    """Who only asks about a few rows names nobody."""
    held = bank(5)
    bare = {name: held[name] for name in SCHEMA.fields}
    found, wanted = (columns_of(model.score(pd.DataFrame(frame))) for frame in (bare, held))
    assert found["churn_probability"] == wanted["churn_probability"]


def test_a_missing_column_is_named(model: cs.ChurnModel) -> None:
    """In one line."""
    held = bank(5)
    del held["Balance"]
    with pytest.raises(DataError, match="Balance"):
        model.score(pl.DataFrame(held))


def test_an_index_of_pandas_is_kept(model: cs.ChurnModel) -> None:
    """Rows are found again under their own labels."""
    frame = pd.DataFrame(bank(20)).sample(frac=1, random_state=1)
    scored = model.score(frame)
    assert scored.index.tolist() == frame.index.tolist()
    whole = model.score(pd.DataFrame(bank(20)))
    assert scored.sort_index()["churn_probability"].tolist() == whole["churn_probability"].tolist()


def test_a_model_goes_into_a_folder_and_comes_back(model: cs.ChurnModel, tmp_path: Path) -> None:
    """And scores the same there; what was loaded is not saved a second time."""
    model.save(tmp_path / "bank")
    loaded = cs.load_model(tmp_path / "bank")

    frame = pl.DataFrame(bank(50))
    assert columns_of(loaded.score(frame)) == columns_of(model.score(frame))
    assert (loaded.version, loaded.threshold, loaded.test) == (
        model.version,
        model.threshold,
        model.test,
    )
    assert loaded.schema == model.schema
    with pytest.raises(ConfigurationError, match=r"was loaded; copy its folder"):
        loaded.save(tmp_path / "again")
    with pytest.raises(cs.ChurnstreamError, match=r"no model in .*nowhere"):
        cs.load_model(tmp_path / "nowhere")


def test_a_file_trains_as_a_frame_of_it(model: cs.ChurnModel, tmp_path: Path) -> None:
    """Whatever the way in, a row means the same."""
    pd.DataFrame(bank()).to_csv(tmp_path / "bank.csv", index=False)
    again = cs.train(str(tmp_path / "bank.csv"), SCHEMA)
    assert again.model.formula == model.model.formula


@pytest.mark.parametrize("make", LIBRARIES)
def test_a_schema_is_inferred_from_a_frame(make: Make) -> None:
    """As from a file; what is said overrules, and what is not certain is asked."""
    schema = cs.infer_schema(make(bank()), label="Exited=1", id="CustomerId", name="bank")
    assert (schema.name, schema.id, schema.label) == ("bank", "CustomerId", SCHEMA.label)
    assert set(schema.fields) == set(SCHEMA.fields)
    ambiguous = {**bank(), "churn": bank()["HasCrCard"]}
    with pytest.raises(ConfigurationError, match=r"Exited=1 .*; churn=1 .*\. Say it with label=…"):
        cs.infer_schema(make(ambiguous))
    with pytest.raises(ConfigurationError, match=r"^leave_out: "):
        cs.infer_schema(make(bank()), leave_out=["Surname"])
    with pytest.raises(ConfigurationError, match=r"^label: Exited is never "):
        cs.infer_schema(make(bank()), label="Exited=gone")


def test_frames_without_a_usable_row_are_refused() -> None:
    """Nothing is trained on, and the reasons are counted."""
    bad = {**bank(30), "Geography": ["Atlantis"] * 30}
    with pytest.raises(DataError, match=r"none of its 30 rows can be used: 30 unknown_category"):
        cs.train(pl.DataFrame(bad), SCHEMA)


def test_batches_are_scored_as_a_file_is(model: cs.ChurnModel, tmp_path: Path) -> None:
    """The columns and rejections of `score_file`, in pieces, by a model that has travelled."""
    held = bank(12_000)
    held["Geography"][7], held["CreditScore"][11_000] = "Atlantis", -1
    held["Balance"][13] = float("nan")
    table = pa.table(held)
    parquet.write_table(table, tmp_path / "bank.parquet")
    score_file(
        model.model, open_rows(tmp_path / "bank.parquet", SCHEMA), tmp_path / "scored.parquet"
    )
    score_batches = pickle.loads(pickle.dumps(model.score_batches))

    found = list(score_batches(table.combine_chunks().to_batches()))

    assert [batch.num_rows for batch in found] == [10_000, 2_000]
    scored, wanted = pa.Table.from_batches(found), parquet.read_table(tmp_path / "scored.parquet")
    equal = table.drop_columns("Balance")  # a NaN is not equal to itself
    assert scored.select(equal.schema.names).equals(equal)
    result = ["churn_probability", "prediction", "model_version", "error"]
    assert scored.schema.names == wanted.schema.names == [*table.schema.names, *result]
    assert scored.select(result).combine_chunks().equals(wanted.select(result).combine_chunks())
    errors = {i: error for i, error in enumerate(scored["error"].to_pylist()) if error}
    assert {i: error.split(":")[0] for i, error in errors.items()} == {
        7: "Geography",
        11_000: "CreditScore",
    }


def test_numbers_in_batches_may_be_texts(model: cs.ChurnModel) -> None:
    """With the marks that are declared; others make no number."""
    held = bank(4) | {"Balance": ["1.234,50 €", "2", None, "0,5"]}
    plain = bank(4) | {"Balance": [1234.5, 2.0, None, 0.5]}
    batches, wanted = (pa.table(each).to_batches() for each in (held, plain))

    (found,) = model.score_batches(batches, decimal=",", thousands=".")
    assert found["churn_probability"].equals(next(model.score_batches(wanted))["churn_probability"])
    (found,) = model.score_batches(batches)
    assert [error is None for error in found["error"].to_pylist()] == [False, True, True, False]
    with pytest.raises(ConfigurationError, match=r"neither '\.' nor ','"):
        next(model.score_batches(batches, decimal=";"))


def test_batches_that_cannot_be_scored_say_why(model: cs.ChurnModel) -> None:
    """A column that is missing, the ID's included, or one that stands where the result goes."""
    table = pa.table(bank(4))
    for columns, problem in (
        (table.drop_columns("Geography"), "lacks the column Geography"),
        (table.drop_columns("CustomerId"), "lacks the column CustomerId"),
        (table.append_column("error", pa.nulls(4)), "has the column error already"),
    ):
        with pytest.raises(DataError, match=f"the frame: {problem}"):
            next(model.score_batches(columns.to_batches()))
    assert list(model.score_batches(table.slice(0, 0).to_batches())) == []

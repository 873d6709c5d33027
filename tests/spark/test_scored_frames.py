"""What a job of one's own builds on: frames of Spark, within this process."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from lake import RESULT, churnstream
from lake import customers as lake_customers
from pyarrow import parquet
from pyspark.sql import Row, SparkSession

import churnstream as cs
from builders import TELCO, CustomerEvent, event_json
from churnstream import spark
from churnstream.errors import ConfigurationError, DataError
from churnstream.model.manifest import save
from churnstream.schema.event_source import EventSource
from churnstream.schema.fields import Category, Date, Number
from churnstream.schema.schema import Label, Schema
from churnstream.spark.bulk_job import main
from pipelines import adopted

SHOP = Schema(
    name="shop",
    id="id",
    label=Label("left", "1", "0"),
    fields={
        "since": Date(),
        "spent": Number(missing="allow"),
        "place": Category(values=("here", "there")),
    },
)
Run = Callable[..., tuple[int, str, str]]


def shop(rows: int = 120) -> pa.Table:
    """Customers of a shop: when they came, what they spent as people write it, and where."""
    return pa.table(
        {
            "id": [f"S{n}" for n in range(rows)],
            # Half past eleven at night: another day in Berlin.
            "since": pa.array(
                [datetime(2024, 1 + n % 12, 1 + n % 28, 23, 30, tzinfo=UTC) for n in range(rows)],
                pa.timestamp("us", "UTC"),
            ),
            "spent": [None if n % 7 == 0 else f"{n % 9}.{n:03},{n % 10}0 €" for n in range(rows)],
            "place": ["nowhere" if n == 60 else ["here", "there"][n % 2] for n in range(rows)],
            "left": [int(n % 3 == 0) for n in range(rows)],
        }
    )


@pytest.fixture(scope="module")
def shop_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the shop."""
    folder: Path = tmp_path_factory.mktemp("shop")
    parquet.write_table(shop(), folder / "shop.parquet")
    cs.train(folder / "shop.parquet", SHOP).save(folder / "model")
    return folder / "model"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the job that comes along; its exit code, output and errors."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["score.py", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return run


def customers_of(session: SparkSession, rows: list[dict[str, Any]]) -> Any:
    """A frame of customers."""
    return session.createDataFrame([Row(**row) for row in rows])


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_texts_and_times_mean_what_they_mean_in_a_file(
    zone: str, session: SparkSession, shop_model: Path, tmp_path: Path, run: Run
) -> None:
    """Decimal commas are found out, and the zone of the session moves no date."""
    file, expected, out = (tmp_path / name for name in ("s.parquet", "e.parquet", "out"))
    parquet.write_table(shop(), file)
    files = ["--input", file, "--output", expected]
    churnstream("batch-predict", *files, "--model", shop_model)
    session.conf.set("spark.sql.session.timeZone", zone)

    code, said, _ = run("--model", shop_model, "--parquet", file, "--output", out)

    assert (code, said) == (0, f"119 rows scored into {out}, 1 rejected (column error)\n")
    wanted, found = (
        parquet.read_table(place, columns=["id", *RESULT]) for place in (expected, out)
    )
    assert found.sort_by("id").to_pylist() == wanted.sort_by("id").to_pylist()


def test_a_table_is_scored_into_a_table(session: SparkSession, shop_model: Path, run: Run) -> None:
    """By their names, with what the catalogue of the session knows."""
    session.createDataFrame(shop().to_pandas()).write.mode("overwrite").saveAsTable("shop")

    code, said, err = run("--model", shop_model, "--table", "shop", "--output-table", "shop_scored")

    assert code == 0, err
    assert said == "119 rows scored into shop_scored, 1 rejected (column error)\n"
    (rejected,) = session.table("shop_scored").where("error is not null").collect()
    assert rejected["id"] == "S60"
    assert rejected["error"].startswith('place: "nowhere" is unknown to the model')


def test_a_run_with_a_checkpoint_scores_new_files_only(
    session: SparkSession, shop_model: Path, tmp_path: Path, run: Run
) -> None:
    """What was scored is not scored again, and nothing new is no failure."""
    lake, out = tmp_path / "lake", tmp_path / "out"
    lake.mkdir()
    rows = shop().set_column(2, "spent", pa.array([1.5] * 120))
    words = ["--model", shop_model, "--parquet", lake, "--output", out]
    words += ["--checkpoint", tmp_path / "checkpoint"]

    parquet.write_table(rows.slice(0, 50), lake / "1.parquet")
    assert run(*words)[1] == f"50 rows scored into {out}, 0 rejected (column error)\n"
    parquet.write_table(rows.slice(50), lake / "2.parquet")
    assert run(*words)[1] == f"69 rows scored into {out}, 1 rejected (column error)\n"
    assert run(*words)[:2] == (0, f"0 rows scored into {out}, 0 rejected (column error)\n")
    found = [row["id"] for row in session.read.parquet(str(out)).collect()]
    assert sorted(found) == sorted(shop()["id"].to_pylist())


def test_faults_are_one_line(
    session: SparkSession, shop_model: Path, tmp_path: Path, run: Run
) -> None:
    """What is wrong, where, and what to do, with an exit code; nothing is written over."""
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    parquet.write_table(shop(), good)
    parquet.write_table(shop().set_column(3, "place", pa.array(["nowhere"] * 120)), bad)
    parquet.write_table(shop().drop_columns("place"), tmp_path / "lacks.parquet")
    parquet.write_table(shop().slice(0, 0), tmp_path / "empty.parquet")
    out = ["--model", shop_model, "--output", tmp_path / "out"]

    def said(*words: object) -> tuple[int, str]:
        code, _, err = run(*words)
        (line,) = [line for line in err.splitlines() if line.startswith("Error: ")]
        return code, line

    assert said(*out) == (2, "Error: name one of --parquet, --table, --topic; see --help")
    assert said(*out, "--topic", "t")[1].startswith("Error: name the broker of the topic")
    assert said(*out, "--parquet", tmp_path / "lacks.parquet") == (
        1,
        "Error: the frame: lacks the column place; it has id, since, spent, left",
    )
    nested = shop().set_column(3, "place", pa.array([["here"]] * 120))
    parquet.write_table(nested, tmp_path / "nested.parquet")
    assert said(
        "--model", shop_model, "--output", tmp_path / "n", "--parquet", tmp_path / "nested.parquet"
    ) == (
        1,
        "Error: the frame: lacks the column place; it has id, since, spent, left",
    )
    assert "PATH_NOT_FOUND" in said(*out, "--parquet", tmp_path / "nowhere")[1]
    code, line = said(*out, "--parquet", bad)
    assert (code, "none of the 120 rows can be scored" in line) == (1, True)
    assert "already exists" in said(*out, "--parquet", good)[1]
    empty = tmp_path / "empty.parquet"
    line = said("--model", shop_model, "--output", tmp_path / "e", "--parquet", empty)[1]
    assert line == f"Error: {empty}: has no rows"


def test_a_pipeline_of_somebodys_own_goes_to_the_workers(
    session: SparkSession, customers: list[CustomerEvent], tmp_path: Path
) -> None:
    """An adopted pipeline scores there as here."""
    save(adopted(customers), tmp_path / "own")
    model = cs.load_model(tmp_path / "own")
    rows = lake_customers(200)
    (wanted,) = model.score_batches(rows.combine_chunks().to_batches())

    found = spark.score(session.createDataFrame(rows.to_pandas()), model).collect()

    wanted_of = dict(
        zip(wanted["customerID"].to_pylist(), wanted[RESULT[0]].to_pylist(), strict=True)
    )
    for row in found:
        assert row["churn_probability"] == pytest.approx(wanted_of[row["customerID"]], abs=1e-12)


def test_events_of_other_forms_are_found_passed_over_and_rejected(
    session: SparkSession, place: Path
) -> None:
    """As the schema's source says: from an envelope, headers and the record's time."""
    model = cs.load_model(place / "model")
    source = EventSource(envelope="cloudevents", key="any")
    model = cs.ChurnModel(model.model.reading(source))
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_type", b"t"), ("ce_source", b"s")]
    headers.append(("ce_time", b"2026-11-20T10:00:00Z"))
    records = [
        {"key": b"x", "value": event_json(), "headers": headers},
        {"key": b"x", "value": b"no JSON", "headers": headers},
    ]
    now = datetime(2026, 11, 20, tzinfo=UTC)
    types = "key binary, value binary, timestamp timestamp, "
    types += "headers array<struct<key:string,value:binary>>"
    frame = session.createDataFrame(
        [(one["key"], one["value"], now, one["headers"]) for one in records], types
    )

    good, bad = spark.score_events(frame, model).collect()

    assert good["error"] is None
    assert 0 < good["churn_probability"] < 1
    assert good[TELCO.id] == msgspec.json.decode(event_json())[TELCO.id]
    assert bad["churn_probability"] is None
    assert bad["error"]


def test_what_cannot_be_read_here_says_so_before_it_starts(
    session: SparkSession, place: Path
) -> None:
    """Formats of a registry, columns that are missing or taken."""
    model = cs.load_model(place / "model")
    frame = session.createDataFrame([(b"", b"")], "key binary, value binary")
    with pytest.raises(DataError, match="lacks the column timestamp of Spark's Kafka source"):
        spark.score_events(frame, model)
    with pytest.raises(DataError, match="has the column error already"):
        spark.score(session.createDataFrame([("",)], "error string"), model)
    registered = cs.ChurnModel(model.model.reading(EventSource(format="avro")))
    with pytest.raises(ConfigurationError, match="events in avro are not read on Spark"):
        spark.score_events(frame, registered)

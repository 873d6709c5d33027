"""What the page on Spark shows, as it stands there."""

from pathlib import Path

import pytest
from lake import customers, write_lake
from pyspark.sql import SparkSession

from documents import ROOT, WITH_SPARK, Workplace, blocks

PAGE = ROOT / "docs" / "spark.md"
_SECONDS = 600


@pytest.fixture
def work(place: Path, tmp_path: Path) -> Path:
    """A folder with the model and the lake of the page."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "telco-churn").symlink_to(place / "model")
    write_lake(customers(1_000), tmp_path / "lake" / "customers")
    return tmp_path


def test_commands(work: Path) -> None:
    """A job that needs no cluster succeeds on this machine alone."""
    (block,) = [block for block in blocks(PAGE) if block.mark == WITH_SPARK]

    Workplace(work, SPARK_LOCAL_IP="127.0.0.1").type(block.text, _SECONDS)

    assert (work / "lake" / "scored" / "_SUCCESS").exists()


def test_jobs_of_ones_own(
    work: Path,
    session: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The pieces of Python do what they say, with Spark and without: both find the same."""
    monkeypatch.chdir(work)
    for block in blocks(PAGE, "python"):
        exec(compile(block.text.replace('"lake/', f'"{work}/lake/'), PAGE, "exec"), {})

    leaving = session.read.parquet(str(work / "lake" / "leaving")).count()
    assert capsys.readouterr().out == f"{leaving}\n"
    assert leaving > 100

"""Jobs on a Spark of two workers: the same as on one machine, whatever happens to a worker."""

import time
from pathlib import Path

from lake import Lake, results
from pyarrow import parquet
from standalone import Standalone

_SECONDS = 600


def test_a_lake_is_scored_as_by_batch_predict(
    standalone: Standalone, place: Path, lake: Lake, tmp_path: Path
) -> None:
    """Every row is there once, bit-equal, with the same rejections; columns keep their types."""
    out = tmp_path / "out"
    said = standalone.run("--model", place / "model", "--parquet", lake.folder, "--output", out)

    assert said.code == 0, said.err
    assert said.out.splitlines() == [lake.said.replace(str(place / "scored.parquet"), str(out))]
    assert results(out).equals(lake.scored)
    before, after = parquet.read_table(lake.folder), parquet.read_table(out)
    assert after.select(before.schema.names).sort_by("row").equals(before.sort_by("row"))


def test_a_killed_worker_loses_nothing(
    standalone: Standalone, place: Path, lake: Lake, tmp_path: Path
) -> None:
    """A worker is killed with its executor while it writes: no row is lost, none is there twice."""
    out = tmp_path / "out"
    job = standalone.submit("--model", place / "model", "--parquet", lake.folder, "--output", out)
    _wait_for_tasks(out, 3)
    standalone.kill("worker-0")
    try:
        said = standalone.ended(job)
    finally:
        standalone.heal()

    assert said.code == 0, said.err
    assert "Lost executor" in said.err
    assert results(out).equals(lake.scored)
    assert said.out.splitlines() == [lake.said.replace(str(place / "scored.parquet"), str(out))]


def _wait_for_tasks(out: Path, count: int) -> None:
    """Until so many tasks have handed in their files, and others are at work."""
    deadline = time.monotonic() + _SECONDS
    while len([*out.glob("_temporary/0/task_*")]) < count:
        assert time.monotonic() < deadline
        assert not (out / "_SUCCESS").exists(), "the job was over first: give it more rows"
        time.sleep(0.02)

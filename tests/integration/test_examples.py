"""The examples run as they stand; that of a service is in test_service.py."""

import subprocess
import sys
from pathlib import Path

from integration.flow import write_customers

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.py"


def test_the_notebook_scores_frames(tmp_path: Path) -> None:
    """Of pandas and of polars, by a model that is saved and loaded again."""
    write_customers(tmp_path / "customers.csv", 1_000)
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(NOTEBOOK), "customers.csv", "Churn"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    first, *_, version = ran.stdout.splitlines()
    assert 0.7 < float(first.split()[0]) < 1
    assert version in (tmp_path / "models" / "notebook" / "manifest.json").read_text()

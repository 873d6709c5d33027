"""The tutorial's commands are typed as they stand there, in their order, in one terminal."""

import json
from pathlib import Path

import pyarrow.csv

from churnstream.testing.embedded import embedded_broker
from documents import ROOT, Workplace, blocks
from integration.flow import QUICK_SESSION

TUTORIAL = ROOT / "docs" / "tutorial.md"
_BROKER = "churnstream broker\n"  # stays in the foreground of a terminal of its own


def test_tutorial(tmp_path: Path) -> None:
    """Who types the tutorial has a scored file, a dead letter, and the figures that it shows."""
    texts = [block.text for block in blocks(TUTORIAL)]
    texts.remove(_BROKER)
    with embedded_broker() as broker:
        place = Workplace(tmp_path, broker, CHURNSTREAM_KAFKA__CLIENT=json.dumps(QUICK_SESSION))
        place.furnish()
        (tmp_path / "examples").symlink_to(ROOT / "examples")
        place.type("".join(texts), seconds=300)

    scored = pyarrow.csv.read_csv(tmp_path / "gym" / "scored.csv")
    summary = json.loads((tmp_path / "gym" / "reports" / "summary.json").read_text())
    assert scored.num_rows == 3000
    assert summary["dead_letters_by_reason"] == {"unknown_category": 1}
    assert (tmp_path / "gym" / "at-risk.xlsx").is_file()

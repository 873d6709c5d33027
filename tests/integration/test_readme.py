"""The README's commands are run as they stand there, in their order."""

import json
from pathlib import Path

from churnstream.testing.embedded import embedded_broker
from documents import ROOT, Workplace, blocks
from integration.flow import QUICK_SESSION

README = ROOT / "README.md"
_BROKER = "churnstream broker\n"  # stays in the foreground of a terminal of its own


def test_readme_commands_succeed_in_their_order(tmp_path: Path) -> None:
    """A newcomer who types everything in the README sees every command succeed."""
    texts = [block.text for block in blocks(README) if not block.mark]
    assert _BROKER in texts
    with embedded_broker() as broker:
        place = Workplace(tmp_path, broker, CHURNSTREAM_KAFKA__CLIENT=json.dumps(QUICK_SESSION))
        place.furnish()
        for text in texts:
            place.type(text)
    summary = json.loads((tmp_path / "reports" / "summary.json").read_text())
    assert summary["messages_read"] == summary["scored"] + summary["dead_lettered"]
    assert summary["dead_letters_by_reason"] == {"unknown_category": 7}

"""The values that docs/kubernetes.md tells people to write are such as the chart takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from documents import ROOT, blocks
from helm_chart import VALUES, resources

PAGE = ROOT / "docs" / "kubernetes.md"
BLOCKS = [block.text for block in blocks(PAGE, "yaml") if "kind: " not in block.text]
MINIMAL = next(path for path in VALUES if path.stem == "minimal")


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.split("\n")[0])
def test_values_of_the_document_are_taken(text: str, tmp_path: Path) -> None:
    """Each block, on top of what must be set, is rendered, and every value in it is one."""
    file = tmp_path / "values.yaml"
    file.write_text(text)
    assert resources(MINIMAL, "--values", str(file))


def test_the_document_names_what_the_chart_makes() -> None:
    """Pods, Services and claims of the page have the names that a release `telco` gives them."""
    page = PAGE.read_text()
    named = set(re.findall(r"\btelco-churnstream-[a-z]+", page))
    made = {
        f"telco-{resource['metadata']['name']}" for path in VALUES for resource in resources(path)
    }
    assert len(named) > 3
    assert {name for name in named if name not in made} == set()

import re
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
EVERYBODYS = {
    "__main__",
    "config_file",
    "deadline",
    "errors",
    "escaping",
    "safe_files",
    "sections",
    "settings",
}


def drawn() -> set[tuple[str, str]]:
    """The arrows of the diagram."""
    lines = re.findall(r"^\s+(\w+) --> (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {(start, end) for start, ends in lines for end in ends.split(" & ")}


def part(module: str) -> str:
    """The part of the house that a module belongs to."""
    _, _, below = module.partition("churnstream.")
    return below.split(".")[0]


def test_the_diagram_shows_the_imports() -> None:
    """Every import between two parts is an arrow, and every arrow an import."""
    graph = grimp.build_graph("churnstream")
    found = {
        (part(module), part(other))
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    }

    assert drawn() == {
        (start, end)
        for start, end in found
        if start != end and "" not in (start, end) and not EVERYBODYS & {start, end}
    }

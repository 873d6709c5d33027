import ast
import re
from collections import Counter
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
PACKAGE = Path(__file__).parents[2] / "src" / "churnstream"
EVERYBODYS = {
    "__main__",
    "config_file",
    "connection_settings",
    "deadline",
    "errors",
    "escaping",
    "extras",
    "safe_files",
    "settings_sources",
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


def test_no_module_names_a_column_of_any_data_set() -> None:
    """What a customer is stands in a schema; that of Telco is merely the one that comes along."""
    names = re.compile("MonthlyCharges|TotalCharges|InternetService|PaymentMethod|SeniorCitizen")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".j2", ".js", ".css", ".yaml", ".md")
        and names.search(path.read_text(encoding="utf-8"))
    }

    assert found == {"schema/telco.yaml", "data/README.md"}


def test_every_module_and_function_can_be_read_at_a_glance() -> None:
    """No module is longer than 300 lines, and no function longer than 60."""
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"


def test_one_module_reads_the_environment() -> None:
    """A setting comes from one place; whoever looks for a variable looks there."""
    readers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\bos\.(environ|getenv)", path.read_text(encoding="utf-8"))
    }

    assert readers == {"settings_sources.py"}


def test_one_meaning_one_name() -> None:
    """No class has the name of another."""
    names = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )

    assert [name for name, count in names.items() if count > 1] == []


def test_a_file_is_found_by_its_name() -> None:
    """No module has the name of another, but for commands and what they do with models."""
    commands = {path.name for path in (PACKAGE / "cli").glob("*.py")}
    names = Counter(
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.name not in {"__init__.py", "__main__.py"}
        and not (path.parent.name == "model" and path.name in commands)
    )

    assert [name for name, count in names.items() if count > 1] == []

"""What the documents tell people to type exists, and what they link to is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from churnstream import settings_sources
from churnstream.cli import cli
from churnstream.errors import ConfigurationError
from churnstream.files import open_file
from churnstream.settings import Settings
from documents import (
    BY_CI,
    NOT_RUN,
    ON_KAFKA,
    PAGES,
    ROOT,
    WITH_MLFLOW,
    WITH_SPARK,
    WITH_TLS,
    Block,
    blocks,
    commands,
    prose,
    spans,
)

MAKEFILE = (ROOT / "Makefile").read_text()

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w+)$", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def typed(page: Path) -> list[list[str]]:
    """The `churnstream` and `make` commands of a page: those in shell blocks and inline ones."""
    pieces = [*(block.text for block in blocks(page)), *spans(page)]
    found = [words for piece in pieces for words in commands(piece)]
    ours = [words[words.index("churnstream") :] for words in found if "churnstream" in words]
    return ours + [words for words in found if words[0] == "make"]


def each_typed(program: str) -> list[Any]:
    """The commands of all pages, as parameters of a test."""
    return [
        pytest.param(words[1:], id=f"{page.name}: {shlex.join(words)[:60]}")
        for page in PAGES
        for words in typed(page)
        if words[0] == program
    ]


class _Understood(Exception):  # noqa: N818  # no fault
    """The command line was parsed and its settings are valid: do not run it."""


@pytest.fixture
def parse_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands end once they have read their settings, in a folder with the files they name."""
    load = settings_sources.load

    def load_and_end(*args: Any) -> Settings:
        load(*args)
        raise _Understood

    def end(*_: Any) -> None:
        raise _Understood

    monkeypatch.setattr(settings_sources, "load", load_and_end)
    monkeypatch.setattr(open_file, "open_file", end)  # `init` has no settings
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("parse_only")
@pytest.mark.parametrize("args", each_typed("churnstream"))
def test_documented_command_is_understood(args: list[str]) -> None:
    """The command exists, takes these flags, and their values are valid."""
    if "--config" in args:
        Path(args[args.index("--config") + 1]).touch()
    if args[0] == "init":
        Path(args[1]).touch()
    if "--help" in args or "--version" in args:
        assert cli.main(args, standalone_mode=False) == 0
        return
    with pytest.raises(_Understood):
        cli.main(args, standalone_mode=False)


@pytest.mark.usefixtures("parse_only")
@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("consume --no-such-flag", click.UsageError),
        ("no-such-command", click.UsageError),
        ("consume --mode bath", ConfigurationError),
    ],
)
def test_wrong_command_is_not_understood(line: str, error: type[Exception]) -> None:
    """The test above would notice a command, a flag or a value that does not exist."""
    with pytest.raises(error):
        cli.main(line.split(), standalone_mode=False)


@pytest.mark.parametrize("words", each_typed("make"))
def test_documented_target_exists(words: list[str]) -> None:
    """The Makefile has the target, and the variables that are set for it."""
    for word in words:
        name, equals, _ = word.partition("=")
        assert re.search(rf"^{name}\b.*(\?=|:)", MAKEFILE, re.MULTILINE), word
        assert equals or word.islower(), word


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command that does something."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("command", list(leaves(cli)), ids=" ".join)
def test_readme_shows_every_command(command: tuple[str, ...]) -> None:
    """The README has an example of each command, in its table and in words that can be typed."""
    readme = ROOT / "README.md"
    assert f"| `{' '.join(command)}` |" in readme.read_text()
    shown = [tuple(words[1:]) for words in typed(readme) if words[0] == "churnstream"]
    assert any(words[: len(command)] == command for words in shown)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual hosts of repositories make them."""
    headings = _HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file of the repository and a heading in it."""
    for link in _LINK.findall(prose(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


MARKED = [block for page in PAGES for block in blocks(page) if block.mark]


@pytest.mark.parametrize("block", MARKED, ids=lambda block: block.mark)
def test_what_is_not_run_here_says_why(block: Block) -> None:
    """A block is run by a test, or needs what tests do not start, and the reader is told."""
    if block.mark in {ON_KAFKA, WITH_TLS, WITH_MLFLOW, WITH_SPARK, BY_CI}:
        return
    reason = NOT_RUN.fullmatch(block.mark)
    assert reason, block.mark
    assert reason[1].removeprefix("a ") in prose(block.page)


def test_what_ci_runs_is_run_by_ci() -> None:
    """Every command of a block that says so is a step there."""
    steps = (ROOT / ".ci" / "run").read_text()
    words = [words for b in MARKED if b.mark == BY_CI for words in commands(b.text)]
    assert words
    assert [line for line in map(shlex.join, words) if f"step {line}\n" not in steps] == []


def test_blocks_of_commands_are_found() -> None:
    """No document has shell under another name, which nobody would run."""
    names = {name for page in PAGES for name in FENCE.findall(page.read_text())}
    assert names <= {"", "sh", "python", "yaml", "json", "text", "mermaid", "properties"}


def test_no_password_stands_on_a_command_line() -> None:
    """Whoever lists the processes of a machine would read it."""
    given = re.compile(r"(?:-X|--[a-z-]+)[ =][^\n|;&]*password\]?=", re.IGNORECASE)
    texts = [(page.name, text) for page in PAGES for text in [*_shell_of(page), *spans(page)]]

    assert [found for found in texts if given.search(found[1])] == []


def _shell_of(page: Path) -> list[str]:
    """Blocks of shell, each command on one line."""
    return [block.text.replace("\\\n", " ") for block in blocks(page)]


def test_the_run_book_has_every_warning() -> None:
    """What the log warns of, at whatever hour, has its line in the run book."""
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    warned = set(re.findall(r"\.(?:warning|error)\(\s*\"([a-z_]+)\"", source))
    run_book = (ROOT / "docs" / "operations.md").read_text()
    assert "batch_rolled_back" in warned
    assert [event for event in sorted(warned) if f"`{event}`" not in run_book] == []


def test_where_things_are_added_exists() -> None:
    """What CONTRIBUTING says to change, and the tests that it names, are there."""
    page = prose(ROOT / "CONTRIBUTING.md")
    table = page[page.index("## To add a") : page.index("## Habits")]
    named = {name for name in re.findall(r"`([\w./]+\.\w+)`", table) if "NAME" not in name}
    folders = [ROOT, ROOT / "src" / "churnstream", ROOT / "src" / "churnstream" / "dashboard"]

    assert len(named) > 30
    there = {n for n in named for f in [*folders, ROOT / "tests" / "unit"] if (f / n).is_file()}
    assert named == there

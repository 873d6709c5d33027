"""The documentation site has every document, and its links lead to pages of it."""

import re
from pathlib import Path
from typing import Any

import build_site
import pytest
import yaml
from click.testing import CliRunner
from command_reference import WIDTH, command_reference

from churnstream.cli import cli
from documents import ROOT

_LINK = re.compile(r'\]\(([^)\s:#]+)[)#]|(?:src|srcset|href)="([^":#]+)["#]')
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages in their places."""
    folder = tmp_path_factory.mktemp("pages")
    build_site.arrange(folder)
    return folder


def in_navigation() -> set[str]:
    """The pages that the navigation names."""

    class Loader(yaml.SafeLoader):
        """Reads over what is Python's."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)

    def leaves(node: Any) -> set[str]:
        if isinstance(node, str):
            return {node}
        children = node.values() if isinstance(node, dict) else node
        return set().union(*map(leaves, children))

    return leaves(yaml.load(build_site.configuration(), Loader)["nav"])


def test_every_document_is_in_the_navigation(pages: Path) -> None:
    """A reader comes to each document by the navigation, and to no page that is not there."""
    documents = {
        page.relative_to(ROOT / "docs").as_posix() for page in build_site.DOCS.rglob("*.md")
    }
    named = in_navigation()

    assert documents - named == set()
    assert [page for page in named if not (pages / page).is_file()] == []


def test_links_lead_to_pages(pages: Path) -> None:
    """Whatever a page links to is a page or a picture beside it, wherever it was before."""
    broken = []
    found = 0
    for page in pages.rglob("*.md"):
        for link in _LINK.findall(_FENCE.sub("", page.read_text())):
            found += 1
            target = page.parent / "".join(link)
            if not target.is_file() or not target.resolve().is_relative_to(pages):
                broken.append((page.name, link))
    assert found > 150
    assert broken == []


def test_files_of_the_repository_are_pages(pages: Path) -> None:
    """A link to a file of another kind leads to a page that shows it."""
    shown = (pages / "repository" / "config.yaml.md").read_text()
    assert shown.startswith("# config.yaml\n\n````yaml\n")
    assert (ROOT / "config.yaml").read_text().rstrip() in shown
    assert "repository/config.yaml.md" in (pages / "configuration.md").read_text()


def test_a_page_that_fetches_from_elsewhere_is_found(tmp_path: Path) -> None:
    """A script, picture or font of another host is noticed; a link for the reader is none."""
    (tmp_path / "clean.html").write_text('<a href="https://example.com">there</a><img src="a.png">')
    (tmp_path / "script.html").write_text('<script src="https://example.com/a.js"></script>')
    (tmp_path / "font.html").write_text('<link rel="stylesheet" href=//example.com/a.css>')
    assert build_site.foreign(tmp_path) == ["font.html", "script.html"]


def test_reference_of_commands_says_what_help_says() -> None:
    """The site has the help of a command, in a group as well, word by word."""
    words = ["dead-letters", "list", "--help"]
    said = CliRunner().invoke(cli, words, prog_name="churnstream", terminal_width=WIDTH)
    assert said.output.strip() in command_reference()
    assert "\n## churnstream dead-letters list\n" in command_reference()

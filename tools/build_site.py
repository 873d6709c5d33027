"""Builds the documentation site into build/site; a warning of the generator is a failure.

Documents link to files of the repository, which a site has no place for. So whatever they link to
comes along under repository/: documents as they are, other files as a page that shows them, folders
as a list. Every link is written anew for that place, and the generator holds that it resolves.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from os.path import relpath
from pathlib import Path, PurePosixPath

from command_reference import command_reference

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
COMMANDS = DOCS / "reference" / "commands.md"
BUILD = ROOT / "build"
PAGES = BUILD / "pages"
SITE = BUILD / "site"

# What draws a diagram of a document; the theme would have a browser fetch it from another host.
MERMAID = "mermaid@11.17.2"
MERMAID_SHA256 = "581ed7d74bd9048d0e3a91363927d72ef22942d7722546b27f7cc29e35390eb8"

_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r'(\]\(|(?:src|srcset|href)=")([^)\s":#]+)(?=[)#"])')
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_FOREIGN = re.compile(
    r'<(?:script|link|img|source|iframe)\b[^>]*(?:src|href|srcset)="?(?:https?:)?//'
)
_PICTURES = {".png", ".svg"}
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".go": "go"}


class Arrangement:
    """The pages of the site, each put in its place once, with all that it links to.

    Args:
        pages: The folder to put them in.
    """

    def __init__(self, pages: Path) -> None:
        self._pages = pages
        self._placed: set[Path] = set()

    def place(self, source: Path) -> Path:
        """Where a file or folder of the repository is among the pages; it is put there.

        Args:
            source: Absolute, below ROOT.
        """
        if (source / "README.md").exists():
            source /= "README.md"
        target = self._pages / _place_of(source)
        if source not in self._placed:
            self._placed.add(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.suffix in _PICTURES:
                shutil.copy(source, target)
            else:
                target.write_text(self._page(source, target), encoding="utf-8")
        return target

    def _page(self, source: Path, target: Path) -> str:
        if source.is_dir():
            return self._list(source, target)
        text = source.read_text(encoding="utf-8")
        if source == COMMANDS:
            text += command_reference()
        if source.suffix == ".md":
            return self._with_links(text, source.parent, target.parent)
        return (
            f"# {source.name}\n\n````{_LANGUAGES.get(source.suffix, '')}\n{text.rstrip()}\n````\n"
        )

    def _with_links(self, text: str, source: Path, target: Path) -> str:
        """The text of a document, with the links that hold where it is put."""

        def moved(link: re.Match[str]) -> str:
            linked = (source / link[2]).resolve()
            if not linked.exists():
                sys.exit(f"{relpath(source, ROOT)}: a page links to {link[2]}, which is not there")
            to = self.place(linked)
            return link[1] + PurePosixPath(relpath(to, target)).as_posix()

        pieces = _FENCE.split(text)  # every other one is a block of code
        pieces[::2] = [_LINK.sub(moved, piece) for piece in pieces[::2]]
        return "".join(pieces)

    def _list(self, folder: Path, target: Path) -> str:
        """A page that names what is in a folder; no hidden files, which a site does not show."""
        lines = [f"# {folder.name.capitalize()}", ""]
        files = (path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
        for source in sorted(files):
            link = relpath(self.place(source), target.parent)
            lines.append(f"- [{title(source)}]({link})")
        return "\n".join(lines) + "\n"


def title(source: Path) -> str:
    """What a link to a file says: its heading, or its name."""
    found = _TITLE.search(source.read_text(encoding="utf-8")) if source.suffix == ".md" else None
    return found[1] if found else source.name


def _place_of(source: Path) -> Path:
    """Documents keep their place below docs/; all else is under repository/."""
    inside = source.is_relative_to(DOCS)
    place = source.relative_to(DOCS) if inside else Path("repository", source.relative_to(ROOT))
    if source.is_dir():
        return place / "index.md"
    if source.name == "README.md":  # by this name it would begin a section
        return place.with_name("overview.md")
    return place if source.suffix in {".md", *_PICTURES} else place.with_name(f"{place.name}.md")


def arrange(pages: Path) -> None:
    """Put all documents, and what they link to, in their places."""
    arrangement = Arrangement(pages)
    for source in [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), DOCS / "decisions"]:
        arrangement.place(source)


def configuration() -> str:
    """The generator's, with each decision in the navigation."""
    decisions = sorted(f"decisions/{path.name}" for path in (DOCS / "decisions").glob("*.md"))
    entries = "".join(f"\n          - {page}" for page in ["decisions/index.md", *decisions])
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    return text.replace("Decisions: decisions\n", f"Decisions:{entries}\n")


def _mermaid() -> bytes:
    """The script of a release from npm, where its bytes are those that we know."""
    kept = BUILD / f"{MERMAID}.min.js"
    if not kept.exists():
        packed = _run("npm", "pack", MERMAID, "--silent", "--pack-destination", str(BUILD)).strip()
        with tarfile.open(BUILD / packed) as package:
            script = package.extractfile("package/dist/mermaid.min.js")
            kept.write_bytes(script.read() if script else b"")
        (BUILD / packed).unlink()
    found = kept.read_bytes()
    if hashlib.sha256(found).hexdigest() != MERMAID_SHA256:
        sys.exit(f"{kept}: not the bytes of {MERMAID} that tools/build_site.py knows; remove it")
    return found


def _run(*words: str) -> str:
    try:
        return subprocess.run(
            words, cwd=BUILD, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    except FileNotFoundError:
        sys.exit(
            f"{words[0]} is not installed, and the site needs it (Debian: apt-get install npm)"
        )
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(words)} failed with exit code {error.returncode}; its reason is above")


def foreign(site: Path) -> list[str]:
    """The pages that would have a browser fetch something from another host."""
    found = [page for page in site.rglob("*.html") if _FOREIGN.search(page.read_text("utf-8"))]
    return sorted(page.relative_to(site).as_posix() for page in found)


def main() -> None:
    """Build the site and say where it begins."""
    shutil.rmtree(PAGES, ignore_errors=True)
    arrange(PAGES)
    shutil.copy(DOCS / "site.css", PAGES)
    (PAGES / "mermaid.min.js").write_bytes(_mermaid())
    (BUILD / "mkdocs.yml").write_text(configuration(), encoding="utf-8")
    generator = Path(sys.executable).with_name("zensical")
    print(_run(str(generator), "build", "--clean", "--strict", "--config-file", "mkdocs.yml"))
    if pages := foreign(SITE):
        sys.exit(f"these pages fetch from another host: {', '.join(pages)}")
    print(f"site built: {relpath(SITE / 'index.html')}")


if __name__ == "__main__":
    main()

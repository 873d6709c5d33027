"""Every command of every document is run as it stands there, but for those marked otherwise."""

import gzip
import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from builders import customer
from churnstream.testing.embedded import embedded_broker
from documents import PAGES, ROOT, Workplace, blocks, commands, lasts, spans
from integration.flow import QUICK_SESSION, churnstream

PLAIN = [page for page in PAGES if any(not block.mark for block in blocks(page))]
OWN = (ROOT / "README.md", ROOT / "docs" / "tutorial.md")  # have tests of their own


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Workplace]:
    """What somebody has who went through the README: a model, files and events, some rejected."""
    folder = tmp_path_factory.mktemp("documents")
    for name in ("telco-churn", "candidate", "mine"):
        shutil.copytree(model_folder, folder / "models" / name)
    (folder / "examples").symlink_to(ROOT / "examples")
    bundled = ROOT / "src" / "churnstream" / "data" / "customers.csv.gz"
    rows = gzip.decompress(bundled.read_bytes()).decode()
    (folder / "customer.json").write_text(json.dumps(customer()))
    (folder / "customers.csv").write_text(rows.replace("Month-to-month", "Weekly", 5))
    with embedded_broker() as broker:
        place = Workplace(folder, broker, CHURNSTREAM_KAFKA__CLIENT=json.dumps(QUICK_SESSION))
        place.type("churnstream topics create")
        place.type("churnstream produce --mode batch --dataset customers.csv")
        place.type("churnstream consume --mode batch")  # there are outcomes from the beginning
        yield place
        place.type("! test -f .churnstream/consumer.pid || kill $(cat .churnstream/consumer.pid)")


@pytest.mark.parametrize("page", [page for page in PLAIN if page not in OWN], ids=lambda p: p.name)
def test_blocks_of_a_document(page: Path, workplace: Workplace) -> None:
    """Who types what a document shows, in its order, sees every command succeed."""
    for block in blocks(page):
        if not block.mark:
            workplace.type(block.text)


def mentioned(*, lasting: bool) -> list[list[str]]:
    """The commands within sentences and tables that no block shows, each once."""
    shown = [words for page in PAGES for block in blocks(page) for words in commands(block.text)]
    found = [shlex.split(span) for page in PAGES for span in spans(page)]
    unique = {tuple(words): words for words in found if words not in shown}
    ours = [words for words in unique.values() if words[0] == "churnstream"]
    return [words for words in ours if lasts(words) == lasting]


@pytest.mark.parametrize("words", mentioned(lasting=False), ids=shlex.join)
def test_command_in_a_sentence(
    words: list[str], workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that a document mentions succeeds when it is typed."""
    if "--detach" in words:
        workplace.type(shlex.join(words))
        return
    monkeypatch.chdir(workplace.folder)
    for name, value in workplace.own_environment.items():
        monkeypatch.setenv(name, value)
    # The embedded broker may wait for ever for a member that left a group while it joined.
    monkeypatch.setenv("CHURNSTREAM_CONSUMER__GROUP", f"sentence-{uuid4().hex[:8]}")
    if "health" in words:  # which is right to complain of events that wait for a minute
        assert churnstream("consume", "--mode", "batch").code == 0
    ran = churnstream(*workplace.with_ports(shlex.join(words[1:])).split())
    assert ran.code == 0, ran.err


def test_commands_in_sentences_that_last(workplace: Workplace) -> None:
    """Those that go on until they are stopped work, and end well with Ctrl-C."""
    workplace.until_stopped(*mentioned(lasting=True))

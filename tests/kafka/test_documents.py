"""The commands of documents that want a real Kafka, as they stand there."""

from pathlib import Path

import pytest
from cluster import Cluster
from jvm import cache_folder, jars

from documents import ON_KAFKA, PAGES, Workplace, blocks, commands, lasts

MARKED = [block for page in PAGES for block in blocks(page) if block.mark == ON_KAFKA]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose clusters are nobody else's, with the jars that were fetched already."""
    for zookeeper in (False, True):
        jars(zookeeper=zookeeper)
    cache = tmp_path / "cache" / "churnstream"
    cache.mkdir(parents=True)
    for folder in cache_folder().glob("kafka-*"):
        (cache / folder.name).symlink_to(folder)
    return tmp_path


@pytest.mark.parametrize("page", sorted({block.page for block in MARKED}), ids=lambda p: p.name)
def test_clusters_of_a_document(page: Path, home: Path) -> None:
    """Who starts the brokers that a document shows, and works with them, sees it succeed."""
    place = Workplace(home, HOME=str(home), XDG_CACHE_HOME=str(home / "cache"))
    place.furnish()
    for block in MARKED:
        if block.page == page and not lasts(commands(block.text)[0]):
            place.type(block.text)


@pytest.mark.parametrize(
    "text", [block.text for block in MARKED if lasts(commands(block.text)[0])], ids=str.strip
)
def test_command_that_lasts(text: str, tmp_path: Path, kafka_cluster: Cluster) -> None:
    """A consumer that a document shows works on a broker that runs, until Ctrl-C."""
    place = Workplace(tmp_path, kafka_cluster.bootstrap_servers)
    place.type("churnstream topics create; churnstream train")
    place.type(text)


def test_brokers_in_tests() -> None:
    """What the page on brokers shows of tests can be done."""
    (page,) = [page for page in PAGES if page.parent.name == "kafka"]
    for block in blocks(page, "python"):
        exec(compile(block.text, page, "exec"), {})

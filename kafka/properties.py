"""What is written into the configuration files of a local cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from network import HOST

TEMPLATE = Path(__file__).with_name("server.properties")


def common(data: Path, nodes: int) -> str:
    """Return what every broker has, with as many replicas as the cluster can hold."""
    return Template(TEMPLATE.read_text()).substitute(
        data=data, replication=min(nodes, 3), min_isr=min(nodes, 2)
    )


def kraft(node: int, port: int, controllers: Mapping[int, int]) -> str:
    """Return who a node is, and where each node's controller listens."""
    voters = ",".join(f"{voter}@{HOST}:{at}" for voter, at in controllers.items())
    return f"""
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
listeners=BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controllers[node]}
"""


def with_zookeeper(node: int, port: int, zookeeper: int) -> str:
    """Return who a node is, and where the ZooKeeper listens that knows the others."""
    return f"""
broker.id={node}
listeners=PLAINTEXT://{HOST}:{port}
zookeeper.connect={HOST}:{zookeeper}
zookeeper.session.timeout.ms=3000
"""


def zookeeper(data: Path, port: int) -> str:
    """Return the whole configuration of a single ZooKeeper."""
    # A session lasts 2 to 20 ticks: this one lets the brokers have their 3 s.
    return f"""
dataDir={data}
clientPortAddress={HOST}
clientPort={port}
tickTime=500
admin.enableServer=false
"""

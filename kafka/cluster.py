"""A real Apache Kafka on 127.0.0.1, without containers: for development and for tests.

From the shell, a cluster that stays until it is stopped::

    python kafka/cluster.py start [--nodes 3] [--port 9092] [--zookeeper]
    python kafka/cluster.py status
    python kafka/cluster.py stop

In a test, one on free ports that can be broken on purpose and leaves nothing behind::

    with Cluster(nodes=3) as cluster:
        cluster.kill(2)
        cluster.restart(2)
"""

from __future__ import annotations

import argparse
import atexit
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import properties
from jvm import FLAGS, ClusterError, Jvm, cache_folder, complaint, jars, kafka_version, need
from network import HOST, brokers_known_at, free_ports, require_free

BROKER = "kafka.Kafka"
ZOOKEEPER = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
CLUSTER_ID = "churnstream-local-000g"  # 16 bytes in base64, as Kafka wants it


class Cluster:
    """Brokers of one cluster, numbered from 1, each of them also a KRaft controller.

    Args:
        nodes: How many brokers. With three, every topic survives the loss of one.
        port: The first broker's, the rest follows; None picks free ones.
        folder: Keeps the cluster, which then runs until it is stopped, also by another process.
            Without one it is temporary and ends with this process at the latest.
        zookeeper: Run the last Kafka that needs a ZooKeeper, instead of one in KRaft mode.
    """

    def __init__(
        self,
        nodes: int = 1,
        *,
        port: int | None = None,
        folder: Path | None = None,
        zookeeper: bool = False,
    ) -> None:
        self._temporary = folder is None
        unique = Path(tempfile.gettempdir(), f"churnstream-kafka-{uuid4().hex}")
        self.folder = (folder or unique).resolve()
        ports = free_ports(2 * nodes) if port is None else range(port, port + 2 * nodes)
        self._ports = ports
        self.nodes = tuple(range(1, nodes + 1))
        self._brokers = {
            node: Jvm(self.folder / f"node-{node}", BROKER, at)
            for node, at in zip(self.nodes, ports, strict=False)
        }
        self._controllers = dict(zip(self.nodes, ports[nodes:], strict=True))
        self._zookeeper = Jvm(self.folder / "zookeeper", ZOOKEEPER, ports[nodes])
        self._helpers = [self._zookeeper] if zookeeper else []
        self._layout = {"nodes": nodes, "port": ports[0], "zookeeper": zookeeper}

    @classmethod
    def load(cls, folder: Path) -> Cluster:
        """Return the cluster that was last started in a folder."""
        try:
            layout = json.loads((folder / "cluster.json").read_text())
        except FileNotFoundError:
            raise ClusterError(f"no cluster was started in {folder}") from None
        return cls(folder=folder, **layout)

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to."""
        return ",".join(f"{HOST}:{broker.port}" for broker in self._brokers.values())

    @property
    def processes(self) -> list[Jvm]:
        """Every process of the cluster, in the order of their start."""
        return [*self._helpers, *self._brokers.values()]

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every node and return once each of them knows all of them."""
        need("java", "Install Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)")
        self._require_room()
        classpath = self._classpath  # fetched before anything is written
        if self._temporary:
            atexit.register(self.stop)
        try:
            self._configure()
            for process in self.processes:
                process.start(classpath)
            self._wait_ready(self.nodes)
        except BaseException:  # also when the user interrupts the wait
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of the cluster; what is temporary is removed as well."""
        for group in (self._brokers.values(), self._helpers):
            for process in group:
                process.ask_to_end()
            for process in group:
                # Data that is thrown away needs no orderly end. And brokers that end together
                # lose their quorum, and would wait minutes for it.
                process.wait_gone(timeout=0 if self._temporary else 3)
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)
            atexit.unregister(self.stop)

    def kill(self, node: int) -> None:
        """End a broker without warning, as a power cut would."""
        self._brokers[node].wait_gone(timeout=0)

    def pause(self, node: int) -> None:
        """Freeze a broker, its connections open, until it is resumed."""
        self._brokers[node].send(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """Let a paused broker go on."""
        self._brokers[node].send(signal.SIGCONT)

    def restart(self, node: int) -> None:
        """Start a broker again, after an orderly end if it still runs, and wait for it."""
        broker = self._brokers[node]
        broker.ask_to_end()
        broker.wait_gone(timeout=20)
        broker.start(self._classpath)
        self._wait_ready([node])

    def heal(self) -> None:
        """Resume and start again whatever is paused or dead, and wait until all is well."""
        for node, broker in self._brokers.items():
            self.resume(node)
            if broker.pid is None:
                broker.start(self._classpath)
        self._wait_ready(self.nodes)

    @property
    def _classpath(self) -> Path:
        return jars(zookeeper=bool(self._helpers))

    def _require_room(self) -> None:
        described = self.folder / "cluster.json"
        found = json.loads(described.read_text()) if described.exists() else self._layout
        if self._layout != found | {"port": self._ports[0]}:  # another port does no harm
            raise ClusterError(
                f"{self.folder} holds a cluster of another shape: remove it or pass another --dir"
            )
        for process in self.processes:
            if process.pid is not None:
                raise ClusterError(f"{self.folder} holds a running cluster already: stop it first")
        for port in self._ports:
            require_free(port)

    def _configure(self) -> None:
        for process in self.processes:
            process.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cluster.json").write_text(json.dumps(self._layout))
        for node, broker in self._brokers.items():
            common = properties.common(broker.data, len(self.nodes))
            if self._helpers:
                own = properties.with_zookeeper(node, broker.port, self._zookeeper.port)
            else:
                own = properties.kraft(node, broker.port, self._controllers)
            broker.config.write_text(common + own)
        for helper in self._helpers:
            helper.config.write_text(properties.zookeeper(helper.data, helper.port))
        if not self._helpers:
            self._format()

    def _format(self) -> None:
        """Give every new data folder its identity, without which KRaft does not start."""
        tool = ["java", *FLAGS, "-cp", f"{self._classpath}/*", "kafka.tools.StorageTool"]

        def run(broker: Jvm) -> None:
            command = [*tool, "format", "-t", CLUSTER_ID, "-c", str(broker.config)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ClusterError(f"{broker.data} cannot be formatted: {complaint(done.stderr)}")

        with ThreadPoolExecutor() as pool:
            new = (b for b in self._brokers.values() if not (b.data / "meta.properties").exists())
            list(pool.map(run, new))

    def _wait_ready(self, nodes: Collection[int], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        for node in nodes:
            broker = self._brokers[node]
            while not brokers_known_at(broker.port).issuperset(nodes):
                if broker.pid is None:
                    self._try_again(broker)
                if time.monotonic() > deadline:
                    raise ClusterError(f"node {node} does not answer: {broker.last_words()}")
                time.sleep(0.1)

    def _try_again(self, broker: Jvm) -> None:
        """Start a broker again that ZooKeeper rejected while it still waits for the killed one."""
        if "NodeExistsException" not in broker.log.read_text(errors="replace"):
            raise ClusterError(f"{broker.folder.name} ended at its start: {broker.last_words()}")
        broker.start(self._classpath)


def start(options: argparse.Namespace) -> None:
    """Start a cluster that stays after this command."""
    cluster = Cluster(
        options.nodes, port=options.port, folder=options.dir, zookeeper=options.zookeeper
    )
    began = time.monotonic()
    cluster.start()
    seconds = time.monotonic() - began
    version = kafka_version(zookeeper=options.zookeeper)
    print(f"Kafka {version} answers at {cluster.bootstrap_servers} (started in {seconds:.1f} s)")


def stop(options: argparse.Namespace) -> None:
    """Stop the cluster of a folder; its data stays."""
    cluster = Cluster.load(options.dir)
    cluster.stop()
    print(f"Kafka at {cluster.bootstrap_servers} is stopped")


def status(options: argparse.Namespace) -> None:
    """Print what runs."""
    print(f"{'node':<12}{'pid':<10}{'port':<8}alive")
    for process in Cluster.load(options.dir).processes:
        pid = process.pid
        alive = "no" if pid is None else "yes"
        print(f"{process.folder.name:<12}{pid or '-':<10}{process.port:<8}{alive}")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Apache Kafka on 127.0.0.1, without containers.")
    commands = parser.add_subparsers(required=True)
    for command in (start, stop, status):
        sub = commands.add_parser(command.__name__, help=(command.__doc__ or "").rstrip("."))
        sub.set_defaults(command=command)
        sub.add_argument("--dir", type=Path, default=cache_folder() / "cluster", help="its folder")
        if command is start:
            sub.add_argument("--nodes", type=int, choices=(1, 3), default=1)
            sub.add_argument("--port", type=int, default=9092, help="the first broker's")
            sub.add_argument("--zookeeper", action="store_true", help="Kafka 3.9 with ZooKeeper")
    return parser


def main() -> int:
    """Run one command; a fault is one line on stderr."""
    options = _arguments().parse_args()
    try:
        options.command(options)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The local cluster itself: what it promises to the tests that build on it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic
from jvm import Jvm, jars
from network import HOST, free_ports

KAFKA = Path(__file__).parents[2] / "kafka"


def create_topic(cluster: Cluster, name: str, partitions: int = 1) -> None:
    """Create a topic with as many replicas as the brokers give by default."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    admin.create_topics([NewTopic(name, partitions)])[name].result(30)


def leader_of(cluster: Cluster, topic: str) -> tuple[int, set[int]]:
    """Return the leader of a topic's only partition and its in-sync replicas."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    partition = admin.list_topics(topic, timeout=10).topics[topic].partitions[0]
    return partition.leader, set(partition.isrs)


def until(met: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def transactional(cluster: Cluster, name: str, **extra: str | int) -> Producer:
    """Return a producer with transactions, ready to begin one."""
    servers = cluster.bootstrap_servers
    producer = Producer({"bootstrap.servers": servers, "transactional.id": name, **extra})
    producer.init_transactions(30)
    return producer


def committed_values(cluster: Cluster, topic: str) -> list[str]:
    """Read a topic's partition 0 to its end, as a read_committed reader sees it."""
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap_servers,
            "group.id": f"{topic}-reader-{time.monotonic_ns()}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([topic])
    values = []
    while (message := consumer.poll(30)) is not None and not message.error():
        values.append((message.value() or b"").decode())
    consumer.close()
    return values


def produce(cluster: Cluster, topic: str, *values: str) -> None:
    """Write records that every in-sync replica acknowledges."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def check_transactions(cluster: Cluster, name: str) -> None:
    """Commit one transaction, abort another, and compare with what readers see."""
    create_topic(cluster, name)
    producer = transactional(cluster, name)
    producer.begin_transaction()
    producer.produce(name, "aborted")
    producer.flush(30)
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce(name, "committed")
    producer.commit_transaction(30)
    assert committed_values(cluster, name) == ["committed"]


def run_cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run cluster.py as a user would."""
    command = [sys.executable, str(KAFKA / "cluster.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_transactions(kafka_cluster: Cluster, topic_prefix: str) -> None:
    """A read_committed reader sees what was committed and nothing of what was aborted."""
    check_transactions(kafka_cluster, topic_prefix)


def test_zookeeper(topic_prefix: str) -> None:
    """Kafka 3.9 with ZooKeeper keeps the same promise, also after its broker was killed."""
    with Cluster(zookeeper=True) as cluster:
        check_transactions(cluster, topic_prefix)
        cluster.kill(1)
        cluster.restart(1)
        produce(cluster, topic_prefix, "after")
        assert committed_values(cluster, topic_prefix) == ["committed", "after"]


def test_abandoned_transaction(kafka_cluster: Cluster, topic_prefix: str) -> None:
    """A transaction that nobody ends is aborted soon after its timeout and frees the readers."""
    create_topic(kafka_cluster, topic_prefix)
    timeout = {"transaction.timeout.ms": 1000}
    producer = transactional(kafka_cluster, topic_prefix, **timeout)
    producer.begin_transaction()
    producer.produce(topic_prefix, "abandoned")
    producer.flush(30)
    produce(kafka_cluster, topic_prefix, "later")
    began = time.monotonic()
    until(lambda: committed_values(kafka_cluster, topic_prefix) == ["later"])
    assert time.monotonic() - began < 6


def test_unknown_topic(kafka_cluster: Cluster, topic_prefix: str) -> None:
    """A topic that nobody created does not come into being by being written to."""
    timeout = {"message.timeout.ms": 2000}
    producer = Producer({"bootstrap.servers": kafka_cluster.bootstrap_servers, **timeout})
    producer.produce(topic_prefix, "lost")
    producer.flush(10)
    admin = AdminClient({"bootstrap.servers": kafka_cluster.bootstrap_servers})
    assert topic_prefix not in admin.list_topics(timeout=10).topics


def test_three_replicas(kafka_cluster3: Cluster, topic_prefix: str) -> None:
    """With three brokers a new topic has three replicas, and two have to acknowledge."""
    create_topic(kafka_cluster3, topic_prefix)
    until(lambda: leader_of(kafka_cluster3, topic_prefix)[1] == {1, 2, 3})
    admin = AdminClient({"bootstrap.servers": kafka_cluster3.bootstrap_servers})
    resource = ConfigResource(ResourceType.TOPIC, topic_prefix)
    (described,) = admin.describe_configs([resource]).values()
    assert described.result(30)["min.insync.replicas"].value == "2"


@pytest.mark.parametrize("way", ["kill", "pause"])
def test_leader_lost(kafka_cluster3: Cluster, topic_prefix: str, way: str) -> None:
    """When a leader dies or freezes another takes over with every record, until it is back."""
    create_topic(kafka_cluster3, topic_prefix)
    produce(kafka_cluster3, topic_prefix, "before")
    leader, _ = leader_of(kafka_cluster3, topic_prefix)

    getattr(kafka_cluster3, way)(leader)
    produce(kafka_cluster3, topic_prefix, "without")
    survivor, in_sync = leader_of(kafka_cluster3, topic_prefix)
    assert survivor != leader
    assert leader not in in_sync

    kafka_cluster3.restart(leader)
    until(lambda: leader_of(kafka_cluster3, topic_prefix)[1] == {1, 2, 3})
    assert committed_values(kafka_cluster3, topic_prefix) == ["before", "without"]


def test_heal(kafka_cluster3: Cluster, topic_prefix: str) -> None:
    """A cluster that has lost its quorum is whole again after heal."""
    create_topic(kafka_cluster3, topic_prefix)
    kafka_cluster3.pause(1)
    kafka_cluster3.kill(2)
    kafka_cluster3.kill(3)
    kafka_cluster3.heal()
    produce(kafka_cluster3, topic_prefix, "whole")
    assert committed_values(kafka_cluster3, topic_prefix) == ["whole"]


def test_nothing_left() -> None:
    """A temporary cluster leaves neither a process nor a file, also when a node was paused."""
    with Cluster() as cluster:
        pids = [process.pid for process in cluster.processes]
        cluster.pause(1)
    assert all(pids)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid or 0, 0)
    assert not cluster.folder.exists()


def test_nothing_left_after_a_failure() -> None:
    """A temporary cluster goes away with a process that fails before it stops it."""
    script = (
        "from cluster import Cluster; cluster = Cluster(); cluster.start()\n"
        "print(cluster.folder, cluster.processes[0].pid, flush=True); raise SystemExit(3)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=KAFKA, capture_output=True, text=True, check=False)
    folder, pid = done.stdout.split()
    assert done.returncode == 3
    assert not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[None]:
    """Stop what a test of the command line has started, also when the test fails."""
    yield
    run_cli("stop", "--dir", str(tmp_path))


@pytest.mark.usefixtures("stopped")
def test_command_line(tmp_path: Path, topic_prefix: str) -> None:
    """A cluster from the command line outlives it, keeps its data, and ends when told to."""
    folder = ("--dir", str(tmp_path))
    start = ("start", "--port", str(free_ports(2)[0]), *folder)
    assert run_cli(*start).returncode == 0
    cluster = Cluster.load(tmp_path)
    create_topic(cluster, topic_prefix)
    produce(cluster, topic_prefix, "kept")
    assert run_cli("status", *folder).stdout.split()[-1] == "yes"
    assert "running cluster already" in run_cli(*start).stderr

    assert run_cli("stop", *folder).returncode == 0
    assert run_cli("status", *folder).stdout.split()[-1] == "no"
    assert "another shape" in run_cli(*start, "--nodes", "3").stderr

    elsewhere = ("start", "--port", str(free_ports(2)[0]), *folder)
    assert run_cli(*elsewhere).returncode == 0
    assert committed_values(Cluster.load(tmp_path), topic_prefix) == ["kept"]


def test_port_taken(tmp_path: Path) -> None:
    """A port that is taken is named in one line, and nothing is started."""
    with socket.create_server((HOST, free_ports(1)[0])) as server:
        port = str(server.getsockname()[1])
        done = run_cli("start", "--port", port, "--dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"cluster: port {port} is taken: stop what listens there or pass another --port"
    ]
    assert not list(tmp_path.iterdir())


def test_java_missing(tmp_path: Path) -> None:
    """Without Java one line says what to install."""
    done = run_cli("start", "--dir", str(tmp_path), PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("cluster: java is not installed. Install Java 17")


def test_maven_missing(tmp_path: Path) -> None:
    """Without the jars and without Maven to fetch them one line says what to install."""
    java = shutil.which("java")
    assert java is not None
    (tmp_path / "java").symlink_to(java)
    port = str(free_ports(2)[0])
    done = run_cli("start", "--port", port, PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("cluster: mvn is not installed. Maven fetches Kafka's jars")


def test_foreign_process(tmp_path: Path) -> None:
    """A process that was given the pid of a broker long gone is left alone."""
    (tmp_path / "server.properties").touch()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (tmp_path / "pid").write_text(str(stranger.pid))
        jvm = Jvm(tmp_path, "kafka.Kafka", 9092)
        assert jvm.pid is None
        jvm.ask_to_end()
        jvm.wait_gone(timeout=0)
        assert stranger.poll() is None
        stranger.send_signal(signal.SIGKILL)


def test_init_topics(kafka_cluster: Cluster, tmp_path: Path) -> None:
    """The script for Docker creates the topics of the contract, and may be run again."""
    tool = tmp_path / "kafka-topics.sh"
    main = "org.apache.kafka.tools.TopicCommand"
    tool.write_text(f'#!/bin/sh\nexec java -cp "{jars()}/*" {main} "$@"\n')
    tool.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "BOOTSTRAP_SERVERS": kafka_cluster.bootstrap_servers,
    }
    for _ in range(2):
        subprocess.run([KAFKA / "init-topics.sh"], check=True, env=environment, timeout=120)
    admin = AdminClient({"bootstrap.servers": kafka_cluster.bootstrap_servers})
    topics = admin.list_topics(timeout=10).topics
    assert {name: len(t.partitions) for name, t in topics.items() if name.startswith("telco.")} == {
        "telco.raw.customers": 3,
        "telco.churn.predictions": 3,
        "telco.deadletter": 1,
        "telco.producer.checkpoints": 1,
    }

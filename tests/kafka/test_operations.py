"""What goes wrong in operation: one clear line, nothing lost, nothing doubled."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from chaos.flow import SESSION, Flow
from chaos.processes import Process
from chaos.records import customers_file, good_records
from chaos.watch import until
from cluster import Cluster
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
)

pytest_plugins = ["chaos.fixtures"]

QUICK_METADATA = ("-X", "topic.metadata.refresh.interval.ms=1000")
SHORT_TRANSACTIONS = ("-X", "transaction.timeout.ms=3000")
SMALL = ("--batch-size", "50")


@pytest.fixture
def admin(flow: Flow) -> AdminClient:
    """A client that changes topics."""
    return flow.watch.admin


def send(flow: Flow, count: int, *, partition: int = -1) -> None:
    """Write good events, by default wherever their keys lead."""
    producer = Producer({"bootstrap.servers": flow.servers, "log_level": 0})
    for key, value in good_records(count):
        producer.produce(flow.input, value, key, partition=partition)
    assert producer.flush(60) == 0


def wait_scored(flow: Flow, seconds: float = 120) -> None:
    """Wait until the group has read everything there is."""
    until(lambda: flow.is_scored, seconds, "every event is scored")


def wait_for_line(process: Process, text: str, seconds: float = 30) -> None:
    """Wait until a process has said something."""
    until(lambda: text in process.log, seconds, f"{process.name} says {text!r}")


def lines_with(process: Process, text: str) -> list[str]:
    """What a process has said of something."""
    return [line for line in process.log.splitlines() if text in line]


def assert_failed(process: Process, *words: str, seconds: float = 60) -> None:
    """Check that it ends with exit code 1, and that its last line holds these words."""
    assert process.wait(seconds) == 1
    assert process.last_words.startswith("Error: ")
    assert [word for word in words if word not in process.last_words] == [], process.last_words
    assert "Traceback" not in process.log


# ---- the broker ----


@pytest.mark.parametrize("mode", ["streaming", "batch"])
def test_broker_unreachable_at_start(kafka_cluster: Cluster, flow: Flow, mode: str) -> None:
    """Without a broker both ends wait, say so once, and begin when it comes."""
    kafka_cluster.kill(1)
    patient = ("--startup-timeout", "60")
    consumer = flow.consume(0, *SESSION, *patient)
    own = ["--max-events", "50"] if mode == "streaming" else []
    producer = flow.produce(100, "--mode", mode, *own, *patient)
    for process in (consumer, producer):
        wait_for_line(process, "broker_unreachable")
    time.sleep(12)
    kafka_cluster.restart(1)
    assert producer.wait(60) == 0, producer.last_words
    wait_scored(flow)
    consumer.stop()
    assert flow.audit().complete
    for process in (consumer, producer):
        assert len(lines_with(process, "broker_unreachable")) == 1


def test_broker_unreachable_for_commands(kafka_cluster: Cluster, flow: Flow) -> None:
    """A command that only asks ends with one line, which says where nobody answered."""
    kafka_cluster.kill(1)
    process = flow.run("audit", code=1)
    assert process.last_words.startswith("Error: no broker answered at 127.0.0.1:")


def test_broker_gone_while_running(kafka_cluster: Cluster, flow: Flow) -> None:
    """When the broker goes away both ends wait, say so once, and go on when it is back."""
    consumer, producer = flow.consume(0, *SESSION), flow.produce(200)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    kafka_cluster.kill(1)
    time.sleep(10)
    kafka_cluster.restart(1)
    time.sleep(3)
    producer.stop()
    wait_scored(flow)
    consumer.stop()
    assert (producer.code, consumer.code) == (0, 0)
    assert len(lines_with(consumer, "broker_unreachable")) == 1
    assert len(lines_with(producer, "broker_unreachable")) == 1
    verdict = flow.audit()
    assert verdict.complete
    assert producer.output.startswith(f"{verdict.events:,} events sent")


# ---- topics ----


@pytest.mark.parametrize("topic", ["input", "output", "dead_letters"])
def test_topic_missing(flow: Flow, admin: AdminClient, topic: str) -> None:
    """A topic that does not exist is named at the start, with the command that creates it."""
    name = getattr(flow, topic)
    admin.delete_topics([name])[name].result(30)
    assert_failed(flow.consume(), f"no topic {name}", "churnstream topics create")


def test_topic_missing_for_the_producer(flow: Flow, admin: AdminClient) -> None:
    """The producer does not begin without its topic either."""
    admin.delete_topics([flow.input])[flow.input].result(30)
    assert_failed(flow.produce(10), f"no topic {flow.input}", "churnstream topics create")


@pytest.mark.parametrize("topic", ["input", "output", "dead_letters"])
def test_topic_deleted(flow: Flow, admin: AdminClient, topic: str) -> None:
    """A topic that is deleted under a running consumer ends it with a line that names it."""
    name = getattr(flow, topic)
    consumer = flow.consume(0, *SESSION, *QUICK_METADATA)
    send(flow, 30)
    wait_scored(flow)
    admin.delete_topics([name])[name].result(30)
    if topic != "input":
        send(flow, 30)
        send_broken(flow)
    assert_failed(consumer, name, "churnstream topics create")


def test_topic_deleted_under_the_producer(flow: Flow, admin: AdminClient) -> None:
    """A topic that is deleted under a running producer ends it with a line that names it."""
    producer = flow.start(
        "produce", "--mode", "streaming", "--events-per-sec", "50", *QUICK_METADATA
    )
    until(lambda: flow.watch.length(flow.input) > 0, 60, "something is sent")
    admin.delete_topics([flow.input])[flow.input].result(30)
    assert_failed(producer, flow.input, "churnstream topics create")


def test_partitions_added(flow: Flow, admin: AdminClient) -> None:
    """Events in partitions that are added under a running consumer are scored too."""
    consumer = flow.consume(0, *SESSION, *QUICK_METADATA)
    send(flow, 30)
    wait_scored(flow)
    admin.create_partitions([NewPartitions(flow.input, 5)])[flow.input].result(30)
    until(lambda: len(flow.watch.partitions(flow.input)) == 5, 30, "the partitions are there")
    for partition in (3, 4):
        send(flow, 20, partition=partition)
    wait_scored(flow)
    consumer.stop()
    verdict = flow.audit()
    assert verdict.complete
    assert verdict.events == 70


def test_offset_older_than_retention(flow: Flow, admin: AdminClient) -> None:
    """Events removed before they were read are reported, and the rest is scored."""
    send(flow, 10, partition=0)
    flow.run_batch()
    send(flow, 20, partition=0)
    gone = TopicPartition(flow.input, 0, 25)
    next(iter(admin.delete_records([gone]).values())).result(30)
    consumer = flow.consume(0, *SESSION)
    wait_scored(flow)
    consumer.stop()
    (line,) = lines_with(consumer, "warning")
    assert "partition=0" in line
    verdict = flow.audit()
    assert verdict.complete
    assert verdict.events == 5


def send_broken(flow: Flow, *, size: int = 10) -> None:
    """Write a record that must become a dead letter."""
    producer = Producer({"bootstrap.servers": flow.servers, "log_level": 0})
    producer.produce(flow.input, b"x" * size, b"broken")
    assert producer.flush(60) == 0


def limit_dead_letters(flow: Flow, admin: AdminClient, size: int) -> None:
    """Set the largest record that the dead-letter topic takes."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource("TOPIC", flow.dead_letters, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(30)


def test_dead_letter_too_large(flow: Flow, admin: AdminClient) -> None:
    """A dead letter larger than its topic allows neither stops the consumer nor gets lost."""
    limit_dead_letters(flow, admin, 20_000)
    consumer = flow.consume(0, *SESSION)
    send(flow, 30)
    send_broken(flow, size=100_000)
    send(flow, 30)
    wait_scored(flow)
    consumer.stop()
    assert consumer.code == 0
    assert flow.audit().complete
    assert len(flow.rejected()) == 1
    replayed = flow.run("dead-letters", "replay").output.splitlines()
    assert replayed[0] == "0 dead letters sent back"
    assert replayed[1].startswith("1 left alone: too large to be kept whole")


def test_limit_lowered_while_running(flow: Flow, admin: AdminClient) -> None:
    """If the limit shrinks under a running consumer, one line says so, and nothing is lost."""
    consumer = flow.consume(0, *SESSION)
    send(flow, 30)
    wait_scored(flow)
    limit_dead_letters(flow, admin, 20_000)
    send_broken(flow, size=100_000)
    assert_failed(consumer, flow.dead_letters, "max.message.bytes")
    again = flow.consume(0, *SESSION)
    wait_scored(flow)
    again.stop()
    assert flow.audit().complete


# ---- transactions ----


def test_transaction_times_out_at_the_broker(kafka_cluster: Cluster, flow: Flow) -> None:
    """A broker that freezes for longer than a transaction may last costs nothing but time."""
    consumer = flow.consume(0, *SESSION, *SMALL, *SHORT_TRANSACTIONS)
    producer = flow.produce(500)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    kafka_cluster.pause(1)
    time.sleep(10)
    kafka_cluster.resume(1)
    time.sleep(3)
    producer.stop()
    wait_scored(flow)
    consumer.stop()
    assert consumer.code == 0, consumer.last_words
    assert flow.audit().complete


def test_transaction_times_out_in_the_consumer(flow: Flow) -> None:
    """A consumer that sleeps in the middle of a transaction repeats it when it wakes up."""
    consumer = flow.consume(0, "-X", "session.timeout.ms=30000", *SMALL, *SHORT_TRANSACTIONS)
    producer = flow.produce(1000)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    for _ in range(3):
        consumer.send(signal.SIGSTOP)
        time.sleep(6)
        consumer.send(signal.SIGCONT)
        time.sleep(1)
    producer.stop()
    wait_scored(flow)
    consumer.stop()
    assert consumer.code == 0, consumer.last_words
    assert flow.audit().complete


def test_an_open_transaction_of_another_hides_no_position(flow: Flow) -> None:
    """A producer that starts again finds its position behind what another has left open."""
    file = customers_file(flow.folder / "customers.csv", 5_000, Random(1))
    producer = flow.produce_file(file.path, "--batch-size", "10")
    until(lambda: flow.watch.length(flow.input) > 0, 60, "something is sent")
    names = {"transactional.id": f"{flow.group}-other", "transaction.timeout.ms": 15_000}
    other = Producer({"bootstrap.servers": flow.servers, "log_level": 0, **names})
    other.init_transactions(30)
    other.begin_transaction()
    other.produce("telco.producer.checkpoints", b"1", b"another file")
    other.flush()
    assert producer.code is None, "it was to be at work still"
    assert producer.wait(60) == 0
    before = flow.watch.length(flow.input)

    flow.run("produce", "--mode", "batch", "--dataset", str(file.path))

    assert flow.watch.length(flow.input) == before


def test_offsets_of_files_that_are_sent_side_by_side(flow: Flow) -> None:
    """Each of two producers that note their offsets in one file finds its own there later."""
    files = [customers_file(flow.folder / f"{name}.csv", 3_000, Random(name)).path for name in "ab"]
    both = [flow.produce_file(path, "--json", "--batch-size", "10") for path in files]
    assert [producer.wait(120) for producer in both] == [0, 0]

    for path, producer in zip(files, both, strict=True):
        again = flow.run("produce", "--mode", "batch", "--json", "--dataset", str(path))
        assert json.loads(again.output) == json.loads(producer.output) | {"sent": 0}


def test_fenced(flow: Flow) -> None:
    """Of two consumers with one --instance the older ends with a line that says so."""
    older, producer = flow.consume(7, *SESSION), flow.produce(200)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    newer = flow.consume(7, *SESSION)
    assert_failed(older, "a newer process", "--instance")
    producer.stop()
    wait_scored(flow)
    newer.stop()
    assert newer.code == 0
    assert flow.audit().complete


# ---- stopping ----


@pytest.mark.parametrize("rate", [1000, 0], ids=["busy", "idle"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop(flow: Flow, rate: int, number: signal.Signals) -> None:
    """A stop signal is answered within 5 seconds, with everything in hand committed."""
    consumer = flow.consume(0, *SESSION)
    flow.wait_owned(1)
    producer = flow.produce(rate or 1000, *([] if rate else ["--max-events", "100"]))
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    if not rate:
        assert producer.wait(60) == 0
        wait_scored(flow)
        time.sleep(2)
    began = time.monotonic()
    consumer.send(number)
    assert consumer.wait(20) == 0
    assert time.monotonic() - began < 5
    assert flow.watch.owners(flow.group) == []
    producer.stop()
    assert flow.audit().exactly_once


def test_stop_without_a_broker(kafka_cluster: Cluster, flow: Flow) -> None:
    """A stop signal is answered within 5 seconds also while no broker answers."""
    consumer, producer = flow.consume(0, *SESSION), flow.produce(500)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    kafka_cluster.pause(1)
    time.sleep(2)
    began = time.monotonic()
    for process in (consumer, producer):
        process.send(signal.SIGTERM)
    for process in (consumer, producer):
        process.wait(20)
    assert time.monotonic() - began < 6
    kafka_cluster.resume(1)
    again = flow.consume(0, *SESSION)
    wait_scored(flow)
    again.stop()
    assert flow.audit().complete


# ---- other groups, other brokers ----


def test_new_group_protocol(flow: Flow) -> None:
    """With KIP-848 a group that grows and shrinks scores everything once."""
    own = ("--group-protocol", "consumer")
    first, producer = flow.consume(0, *own), flow.produce(300)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    second = flow.consume(1, *own)
    flow.wait_owned(2)
    first.stop()
    flow.wait_owned(1)
    third = flow.consume(2, *own)
    flow.wait_owned(2)
    second.kill()
    producer.stop()
    wait_scored(flow)
    third.stop()
    assert flow.audit().complete


@pytest.fixture
def old_flow(trained: Path, tmp_path: Path, topic_prefix: str) -> Iterator[Flow]:
    """A flow on Kafka 3.9 with ZooKeeper."""
    with (
        Cluster(zookeeper=True) as cluster,
        Flow(cluster.bootstrap_servers, topic_prefix, folder=tmp_path, model=trained) as flow,
    ):
        yield flow


def test_zookeeper(old_flow: Flow) -> None:
    """On a broker of the ZooKeeper era transactions, resuming and audit work as well."""
    consumer = old_flow.consume(0, *SESSION)
    sender = old_flow.start("produce", "--mode", "batch", "--batch-size", "50")
    until(lambda: old_flow.watch.length(old_flow.input) > 0, 60, "something is sent")
    sender.kill()
    old_flow.run("produce", "--mode", "batch")
    send_broken(old_flow)
    until(lambda: old_flow.watch.length(old_flow.output) > 0, 60, "something is scored")
    consumer.kill()
    again = old_flow.consume(0, *SESSION)
    wait_scored(old_flow)
    again.stop()
    verdict = old_flow.audit()
    assert verdict.complete
    assert verdict.events == 7_043 + 1
    assert len(old_flow.rejected()) == 1

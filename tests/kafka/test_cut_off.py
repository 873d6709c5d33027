"""A broker that is gone, and a network that swallows what is sent: said, and over soon after."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.flow import SESSION, Flow
from chaos.processes import Process
from chaos.watch import until
from cluster import Cluster
from network import free_ports

from forgetful import ForgetfulBroker

pytest_plugins = ["chaos.fixtures"]

BACK_WITHIN = 15.0  # seconds from a healed network to the first record


@pytest.fixture
def way(kafka_cluster: Cluster) -> Iterator[ForgetfulBroker]:
    """A way to the broker that can be cut."""
    host, port = kafka_cluster.bootstrap_servers.split(":")
    with ForgetfulBroker(host, int(port)) as broker:
        yield broker


@pytest.fixture
def far_flow(way: ForgetfulBroker, flow: Flow, trained: Path, topic_prefix: str) -> Iterator[Flow]:
    """The same flow, whose commands take that way."""
    with Flow(way.address, topic_prefix, folder=flow.folder / "far", model=trained) as far:
        yield far


def answer(port: int, path: str) -> tuple[int, str]:
    """What a process says of its health."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as rejected:
        return rejected.code, rejected.read().decode()
    except OSError:
        return 0, ""


def test_a_consumer_that_has_caught_up_misses_its_broker(
    kafka_cluster: Cluster, flow: Flow
) -> None:
    """It is not ready as soon as the broker is gone, and not alive after the time that is set."""
    (port,) = free_ports(1)
    flow.environment["CHURNSTREAM_METRICS__PROGRESS_TIMEOUT"] = "20"
    consumer = flow.consume(0, *SESSION, "--metrics-port", str(port))
    flow.produce(50, "--max-events", "50").wait(60)
    until(lambda: flow.is_scored, 60, "every event is scored")
    until(lambda: answer(port, "/readyz")[0] == 200, 30, "it is ready")
    time.sleep(25)
    assert answer(port, "/livez") == (200, "ok\n"), "one that has nothing to do is alive"

    kafka_cluster.kill(1)
    until(lambda: answer(port, "/readyz")[0] == 503, 5, "it is not ready")
    assert "no broker can be reached" in answer(port, "/readyz")[1]
    until(lambda: answer(port, "/livez")[0] == 503, 40, "it is not alive")
    assert kafka_cluster.bootstrap_servers in consumer.log
    assert "others have them all" not in consumer.log

    kafka_cluster.restart(1)
    until(lambda: answer(port, "/readyz")[0] == 200, 60, "it is ready again")
    assert answer(port, "/livez")[0] == 200
    consumer.stop()
    assert consumer.code == 0, consumer.last_words


def sends_again(flow: Flow, way: ForgetfulBroker, seconds: float) -> float:
    """Cut the way for so long; how many seconds after that the next record came."""
    way.cut()
    time.sleep(seconds)
    before = flow.watch.length(flow.input)
    way.mend()
    began = time.monotonic()
    until(lambda: flow.watch.length(flow.input) > before, 90, "something is sent again")
    return time.monotonic() - began


@pytest.mark.parametrize("mode", ["streaming", "batch"])
def test_a_producer_gives_up_connections_that_are_half_open(
    far_flow: Flow, flow: Flow, way: ForgetfulBroker, mode: str
) -> None:
    """Soon after the network is whole again records arrive, and none was lost meanwhile."""
    own = ["--mode", "batch", "--batch-size", "20"] if mode == "batch" else []
    producer = far_flow.start("produce", *own, "--events-per-sec", "100")
    until(lambda: flow.watch.length(flow.input) > 100, 60, "something is sent")

    assert sends_again(flow, way, 25) < BACK_WITHIN

    if mode == "streaming":
        assert producer.stop() < 5
        assert producer.code == 0, producer.last_words
    assert producer.wait(120) == 0, producer.last_words


def test_a_consumer_gives_up_connections_that_are_half_open(
    far_flow: Flow, flow: Flow, way: ForgetfulBroker
) -> None:
    """The events of the time without a network are scored soon after it, each once."""
    consumer = far_flow.consume(0, *SESSION)
    producer = flow.produce(100)
    until(lambda: flow.watch.length(flow.output) > 100, 60, "something is scored")
    way.cut()
    time.sleep(25)
    producer.stop()
    before = flow.watch.length(flow.output)
    way.mend()
    until(lambda: flow.watch.length(flow.output) > before, BACK_WITHIN, "something is scored again")
    until(lambda: flow.is_scored, 60, "every event is scored")

    assert consumer.stop() < 5
    assert consumer.code == 0, consumer.last_words
    assert flow.audit().complete


@pytest.mark.parametrize(
    ("command", "after"),
    [("consume", 1), ("consume", 12), ("produce", 1), ("produce", 12), ("batch", 12)],
)
def test_a_stop_behind_a_dead_network(
    far_flow: Flow, flow: Flow, way: ForgetfulBroker, command: str, after: float
) -> None:
    """Whoever waits for an answer that never comes still ends within five seconds."""
    process = _started(far_flow, flow, command)
    way.cut()
    time.sleep(after)

    assert process.stop() < 5.5
    assert process.code in (0, 1)
    assert "Traceback" not in process.log


def _started(far_flow: Flow, flow: Flow, command: str) -> Process:
    """A process at work."""
    if command == "consume":
        process = far_flow.consume(0, *SESSION)
        flow.produce(200)
        until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
        return process
    own = ["--mode", "batch", "--batch-size", "20"] if command == "batch" else []
    process = far_flow.start("produce", *own, "--events-per-sec", "200")
    until(lambda: flow.watch.length(flow.input) > 0, 60, "something is sent")
    return process

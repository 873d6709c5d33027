"""A consumer or producer that is asked to stop: within five seconds, whatever it is doing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from chaos.flow import Flow
from chaos.processes import Process
from chaos.watch import until
from cluster import Cluster

pytest_plugins = ["chaos.fixtures"]

PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])
MOMENTS = [0.15, 0.3, 0.6, 0.9, 1.2, 1.6, 2.0, 3.0]


def stopped(process: Process, seconds: float = 5) -> None:
    """Stop it, which it must do in time, having done all that it had begun."""
    assert process.stop() < seconds
    assert process.code == 0, process.last_words


@PROTOCOLS
def test_a_stand_by_leaves_its_group(flow: Flow, protocol: str) -> None:
    """One that has no partitions is gone from the group as it ends, and others need not miss it."""
    own = ("--group-protocol", protocol)
    consumers = [flow.consume(i, *own) for i in range(4)]
    until(lambda: flow.watch.owners(flow.group) == [0, 1, 1, 1], 60, "one stands by")

    while consumers:
        stopped(consumers.pop())
        until(lambda: len(flow.watch.owners(flow.group)) == len(consumers), 2, "one less is left")


@PROTOCOLS
def test_one_that_has_just_started_leaves_its_group(flow: Flow, protocol: str) -> None:
    """Whenever it is stopped after its start, it is gone, and its partitions are another's."""
    own = ("--group-protocol", protocol)
    stays = flow.consume(0, *own)
    until(lambda: flow.watch.owners(flow.group) == [3], 60, "one owns all")

    for moment in MOMENTS:
        hasty = flow.consume(1, *own)
        time.sleep(moment)
        stopped(hasty)
        until(lambda: flow.watch.owners(flow.group) == [3], 6, f"one owns all, at {moment} s")
    stopped(stays)


@pytest.mark.parametrize("mode", ["streaming", "batch"])
@pytest.mark.parametrize("moment", [0.5, 0.7, 0.9, 1.1])
def test_a_stop_while_a_broker_freezes_at_the_start(
    kafka_cluster: Cluster, flow: Flow, mode: str, moment: float
) -> None:
    """Whatever a consumer asks just then, and gets no answer to, ends with the stop."""
    consumer = flow.consume(0, "--mode", mode)
    time.sleep(moment)
    kafka_cluster.pause(1)
    time.sleep(1.5)
    consumer.send(signal.SIGTERM)
    began = time.monotonic()
    try:
        assert consumer.wait(20) in (0, 1)
    finally:
        kafka_cluster.resume(1)
    assert time.monotonic() - began < 6
    assert "Traceback" not in consumer.log


@pytest.mark.skipif(os.geteuid() != 0, reason="a PID namespace of one's own needs root")
@pytest.mark.parametrize("command", ["consume", "produce", "train"])
def test_process_number_one_hears_a_stop_signal(flow: Flow, command: str, tmp_path: Path) -> None:
    """As number 1 of a container a process is told nothing twice, so it must listen early."""
    unshare = shutil.which("unshare")
    assert unshare, "util-linux has it"
    churnstream = Path(sys.executable).with_name("churnstream")
    topics = ["--input-topic", flow.input, "--output-topic", flow.output]
    topics += ["--deadletter-topic", flow.dead_letters, "--broker", flow.servers]
    own = {
        "consume": [*topics, "--group", flow.group, "--model", str(flow.model)],
        "produce": topics,
        "train": ["--model", str(tmp_path / "model")],
    }[command]
    for moment in (0.15, 0.4, 0.8):
        outer = subprocess.Popen(
            [unshare, "--pid", "--fork", "--kill-child", churnstream, command, *own],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moment)
        (inner,) = psutil.Process(outer.pid).children()
        inner.send_signal(signal.SIGTERM)

        code = outer.wait(5)

        assert code == (0 if command != "train" else 128 + signal.SIGTERM)

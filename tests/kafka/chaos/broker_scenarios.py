"""Scenarios of brokers and of the network between them and us.

Each works with the product's own timeouts, so that its outages are those of a user.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from cluster import Cluster

from chaos.crew import Crew
from chaos.flow import Flow
from chaos.judge import Outcome, Sent, judge
from chaos.progress import expect_success, sent, wait_at_work, wait_flowing
from chaos.records import BrokenRecords, customers_file
from chaos.watch import until
from forgetful import ForgetfulBroker

_PARTITIONS = 3
_FREEZES = (2, 5, 10, 30)  # seconds: within every timeout, past some of them, past all


def brokers_killed(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """Three nodes; the leader of a partition and a transaction coordinator die, in turn."""
    file = customers_file(flow.folder / "customers.csv", 1_500 * faults, random, flow.customers)
    crew = Crew(flow)
    crew.start_and_wait(0, 1)
    producer, of_file = flow.produce(300), flow.produce_file(file.path, "--batch-size", "5")
    with BrokenRecords(flow, random, every=1 / 3) as dead_letters:
        for number in range(faults):
            identity = f"churnstream.{flow.group}.{random.randrange(2)}"
            leader = flow.watch.leader(flow.input, random.randrange(_PARTITIONS))
            node = flow.watch.coordinator(identity) if number % 2 else leader
            crew.note_fault()
            cluster.kill(node)
            time.sleep(random.uniform(2, 6))
            cluster.restart(node)
            until(flow.watch.is_whole, 90, "every replica is in sync")
            time.sleep(random.uniform(0, 2))
            crew.revive()
        of_file.wait(120)
        producer.stop()
        positions = dead_letters.finish()
    crew.finish()
    expect_success(crew, producer, of_file)
    return judge(flow, crew, faults, Sent(file, sent(producer), positions))


def broker_restarted(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """The only broker is restarted, or dies and comes back after a while."""

    def end_and_start() -> None:
        if random.random() < 0.5:
            cluster.kill(1)
            time.sleep(random.uniform(0, 15))
        cluster.restart(1)

    crew = Crew(flow)
    return _interrupted(flow, crew, random, faults, end_and_start)


def broker_paused(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """The only broker freezes with its connections open, and goes on after a while."""

    def freeze() -> None:
        cluster.pause(1)
        time.sleep(random.choice(_FREEZES))
        cluster.resume(1)

    crew = Crew(flow)
    return _interrupted(flow, crew, random, faults, freeze)


def network_cut(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """The network swallows all that is sent, without a word, and is mended after a while."""
    host, port = cluster.bootstrap_servers.split(":")
    with ForgetfulBroker(host, int(port)) as way:

        def cut() -> None:
            way.cut()
            time.sleep(random.choice(_FREEZES))
            way.mend()

        with flow.by_way_of(way.address) as far:
            return _interrupted(far, Crew(far), random, faults, cut)


def _interrupted(
    flow: Flow, crew: Crew, random: Random, faults: int, interrupt: Callable[[], None]
) -> Outcome:
    """Two consumers, a stream and a file, which are all interrupted again and again."""
    file = customers_file(flow.folder / "customers.csv", 1_500 * faults, random, flow.customers)
    crew.start_and_wait(0, 1)
    slowly = ("--batch-size", "10", "--events-per-sec", "100")
    producer, of_file = flow.produce(500), flow.produce_file(file.path, *slowly)
    wait_at_work(flow, of_file)
    for _ in range(faults):
        interrupt()
        crew.note_fault()
        wait_flowing(flow)
        crew.revive()
        time.sleep(random.uniform(1, 4))
    of_file.wait(120)
    producer.stop()
    crew.finish()
    expect_success(crew, producer, of_file)
    return judge(flow, crew, faults, Sent(file, sent(producer)))

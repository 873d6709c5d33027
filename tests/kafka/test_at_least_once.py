"""Delivery without transactions: nothing is lost, and nothing stands still."""

from __future__ import annotations

import signal
import time

import pytest
from chaos.crew import Crew
from chaos.flow import SESSION, Flow
from chaos.watch import until
from cluster import Cluster

pytest_plugins = ["chaos.fixtures"]

_WITHIN = 20.0  # seconds for joining; a commit that waits for its own poll would take 30 more


@pytest.fixture
def crew(flow: Flow) -> Crew:
    """Consumers that commit after they have sent."""
    return Crew(flow, *SESSION, "--delivery", "at-least-once", "--batch-size", "20")


def test_a_rebalance_neither_stalls_nor_repeats(flow: Flow, crew: Crew) -> None:
    """The position of the batch under way is stored before its partitions go."""
    crew.start_and_wait(0)
    producer = flow.produce(1000)
    for instance in (1, 2):
        time.sleep(1)
        crew.start(instance)
        flow.wait_owned(instance + 1, _WITHIN)
    crew.stop(1)
    flow.wait_owned(2, _WITHIN)
    producer.stop()
    crew.finish()

    assert crew.problems == []
    assert flow.audit().exactly_once


def test_a_frozen_broker_loses_nothing(kafka_cluster: Cluster, flow: Flow, crew: Crew) -> None:
    """What was on its way may come twice; nobody ends, and nobody waits for ever."""
    crew.start_and_wait(0, 1)
    producer = flow.produce(500)
    time.sleep(2)
    kafka_cluster.pause(1)
    time.sleep(5)
    kafka_cluster.resume(1)
    time.sleep(5)
    producer.stop()
    crew.finish()

    assert crew.problems == []
    verdict = flow.audit()
    assert (verdict.lost, verdict.orphaned, verdict.in_flight) == (0, 0, 0)


def test_a_group_that_waits_for_a_member_gets_no_second_one(flow: Flow) -> None:
    """A commit that waits as long as the group does is slow, and its client is not lost."""
    long = ("-X", "session.timeout.ms=25000", "--delivery", "at-least-once", "--batch-size", "20")
    works, freezes = flow.consume(0, *long), flow.consume(1, *long)
    flow.wait_owned(2)
    producer = flow.produce(500)
    until(lambda: flow.watch.length(flow.output) > 0, 60, "something is scored")
    freezes.send(signal.SIGSTOP)
    joins = flow.consume(2, *long)
    time.sleep(20)
    members = len(flow.watch.owners(flow.group))
    producer.stop()
    flow.wait_owned(2)
    until(lambda: flow.is_scored, 60, "everything is scored")

    assert members <= 3
    for process in (works, joins):
        assert "client_lost" not in process.log
        process.stop()
        assert process.code == 0, process.last_words
    verdict = flow.audit()
    assert (verdict.lost, verdict.in_flight) == (0, 0)

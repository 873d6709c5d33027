"""The services of docker-compose.yml, running: killed, stopped, scaled, and then counted."""

from __future__ import annotations

import random
import time

import pytest
from docker_engine import Engine
from stack import BROKER, Stack

CUSTOMERS = 7043
APPLICATION = ("kafka", "producer", "consumer", "dashboard")
"""The services that last, of those that can run here: of the others there are no images."""

BATCH = f"churnstream produce --mode batch --no-resume {BROKER}"
KILLS, KAFKA_AT = 20, (7, 14)


def send_customers(stack: Stack) -> None:
    """Send the customers of the example, all of them, however often before."""
    assert f"{CUSTOMERS:,} rows" in stack.run(BATCH, "producer")


def test_from_nothing_to_an_audited_batch(stack: Stack, figures: dict[str, str]) -> None:
    """One command starts Kafka, topics, model, consumer and live page; a batch is scored once."""
    began = time.monotonic()
    stack.up("consumer", "dashboard")
    stack.wait_works("kafka", "consumer", "dashboard")
    figures["seconds from nothing to a working consumer"] = f"{time.monotonic() - began:.0f}"
    send_customers(stack)
    counted = stack.wait_scored()
    assert (counted["events"], counted["lost"], counted["duplicated"]) == (CUSTOMERS, 0, 0)


def test_ports_and_results(stack: Stack, docker: Engine) -> None:
    """Kafka and the page are published, and a summary that a batch writes is there afterwards."""
    assert docker.reachable(9092)
    assert docker.reachable(8090)
    assert not docker.reachable(9100)
    stack.run(f"churnstream report {BROKER}")
    assert f'"scored": {CUSTOMERS}' in stack.run("cat reports/summary.json")


def test_kafka_dies_while_the_consumer_idles(stack: Stack) -> None:
    """Kafka is started again, and the same consumer goes on with what is sent then."""
    (kafka,), (consumer,) = stack.containers("kafka"), stack.containers("consumer")
    before = stack.audit()["events"]
    stack.kill_and_wait(kafka)
    stack.wait_works("kafka")
    send_customers(stack)
    assert stack.wait_scored()["events"] == before + CUSTOMERS
    assert stack.state(consumer)["RestartCount"] == 0


@pytest.mark.parametrize("service", APPLICATION)
def test_each_comes_back(stack: Stack, service: str) -> None:
    """A service that is killed is started again and works; one that is stopped ends by itself."""
    stack.up(service)
    stack.wait_works(service)
    (container,) = stack.containers(service)
    stack.kill_and_wait(container)
    stack.wait_works(service)
    code, _ = stack.stop(container)
    assert code == (143 if service == "kafka" else 0)  # what Java answers to a signal, and ours
    time.sleep(2)
    assert not stack.state(container)["State"]["Running"]  # somebody stopped it
    stack.start(container)
    stack.wait_works(service)


def test_nothing_was_lost_meanwhile(stack: Stack) -> None:
    """What the producer sent before and after all that was scored exactly once."""
    stack.compose("stop", "producer")
    counted = stack.wait_scored()
    assert counted["events"] > 2 * CUSTOMERS
    assert (counted["lost"], counted["duplicated"], counted["orphaned"]) == (0, 0, 0)


def test_three_consumers_under_kills(stack: Stack, figures: dict[str, str]) -> None:
    """Twenty kills of three consumers and two of Kafka, under a steady stream: audit is clean."""
    stack.scale("consumer", 3)
    stack.wait_works("consumer")
    consumers = stack.containers("consumer")
    assert len(consumers) == 3
    (kafka,) = stack.containers("kafka")
    stack.up("producer")
    chance = random.Random(16)
    for number in range(KILLS):
        if number in KAFKA_AT:
            stack.kill_and_wait(kafka)
        stack.kill_and_wait(chance.choice(consumers))
    stack.wait_works("kafka", "consumer", "producer")
    send_customers(stack)
    stack.compose("stop", "producer")
    counted = stack.wait_scored()
    assert (counted["lost"], counted["duplicated"], counted["orphaned"]) == (0, 0, 0)
    figures["events under 20 kills"] = f"{counted['events']:,}"


def test_limits_hold(stack: Stack, figures: dict[str, str]) -> None:
    """After all of it no container was ended for its memory, and each has room left."""
    stack.up("producer")
    stack.wait_works(*APPLICATION)
    for service in APPLICATION:
        container = stack.containers(service)[0]
        state, held = stack.state(container), stack.memory(container)
        limit = state["HostConfig"]["Memory"] // 1_000_000
        figures[f"megabytes that {service} holds"] = f"{held} of {limit}"
        assert not state["State"]["OOMKilled"]
        assert held < 0.8 * limit

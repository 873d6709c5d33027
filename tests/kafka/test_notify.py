"""Webhooks of consumers that are killed: every crossing arrives, none is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from chaos.crew import Crew
from chaos.flow import SESSION, Flow
from chaos.watch import until
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from builders import decode_prediction, event_json
from receiver import Received, Receiver

pytest_plugins = ["chaos.fixtures"]

CUSTOMERS = 200
LEAVES = {"InternetService": "Fiber optic", "MonthlyCharges": 95.0}
STAYS = {"Contract": "Two year", "tenure": 70, "InternetService": "No"}


class Customers:
    """Customers who become likely to leave, and no longer are, and are again."""

    def __init__(self, flow: Flow, random: Random) -> None:
        self._flow, self._random = flow, random
        self._producer = Producer({"bootstrap.servers": flow.servers})

    def send(self, events: int, rate: float) -> None:
        """Send so many, at random, at a rate of so many a second."""
        for _ in range(events):
            name = f"C{self._random.randrange(CUSTOMERS)}"
            changes = LEAVES if self._random.random() < 0.4 else STAYS
            value = event_json(customerID=name, **changes)
            self._producer.produce(self._flow.input, value, name.encode())
            self._producer.poll(1 / rate)
        assert self._producer.flush(30) == 0


@pytest.fixture
def flow(flow: Flow) -> Flow:
    """One with a topic for notified customers."""
    flow.run("topics", "create", "--notified")
    return flow


def records(flow: Flow, topic: str) -> Iterator[Message]:
    """All that is committed in a topic, partition by partition."""
    reader = Consumer(
        {
            "bootstrap.servers": flow.servers,
            "group.id": "crossings",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    for partition in sorted(reader.list_topics(topic, timeout=10).topics[topic].partitions):
        reader.assign([TopicPartition(topic, partition, 0)])
        while (message := reader.poll(30)) is not None and message.error() is None:
            yield message
    reader.close()


def crossings(flow: Flow) -> Counter[str]:
    """How often each customer became likely to leave, as the predictions have it."""
    at_risk: dict[str, bool] = {}
    found: Counter[str] = Counter()
    for record in records(flow, flow.output):
        made = decode_prediction(record.value() or b"")
        says_yes = made.prediction == "Yes"
        found[made.customerID] += says_yes and not at_risk.get(made.customerID, False)
        at_risk[made.customerID] = says_yes
    return +found


def told(receiver: Receiver) -> Counter[str]:
    """How many different notifications of each customer arrived."""
    return Counter({one["notification_id"]: one["id"] for one in receiver.accepted}.values())


def test_every_crossing_arrives_whoever_is_killed(flow: Flow) -> None:
    """At least once, in spite of a receiver that fails now and then; and nothing else does."""
    random = Random(7)

    def unsteady(_: Received) -> tuple[int, dict[str, str]]:
        time.sleep(random.uniform(0, 0.02))
        return (500, {}) if random.random() < 0.1 else (204, {})

    with Receiver(unsteady) as receiver:
        crew = Crew(flow, *SESSION, "--notify", receiver.url)
        crew.start_and_wait(0, 1)
        customers = Customers(flow, random)
        for _ in range(6):
            customers.send(400, 150)
            victim = random.randrange(2)
            assert crew.kill(victim)
            crew.start(victim)
        customers.send(400, 150)
        expected = Counter[str]()

        def all_arrived() -> bool:
            nonlocal expected
            crew.revive()
            expected = crossings(flow)
            return flow.is_scored and not expected - told(receiver)

        until(all_arrived, 120, "every crossing is notified")
        sent = len(receiver.accepted)
        crew.finish()

    assert crew.problems == []
    assert expected.total() > 300
    assert told(receiver) == expected, "and nothing that is no crossing"
    assert sent < 2 * expected.total(), "few are repeated"
    assert flow.audit().exactly_once


def test_a_restart_that_nobody_forces_repeats_nothing(flow: Flow) -> None:
    """What is known of customers and how far predictions are read is kept together."""
    with Receiver() as receiver:
        crew = Crew(flow, *SESSION, "--notify", receiver.url)
        customers = Customers(flow, Random(8))
        for _ in range(3):
            crew.start_and_wait(0, 1)
            customers.send(300, 300)
            until(lambda: flow.is_scored, 60, "all is scored")
            until(lambda: told(receiver) == crossings(flow), 60, "every crossing is notified")
            time.sleep(1.5)  # kept once a second
            crew.stop(0, 1)

    assert crew.problems == []
    assert Counter(one["id"] for one in receiver.accepted) == crossings(flow)


def test_a_notifier_that_cannot_work_holds_up_nothing(flow: Flow) -> None:
    """While its topic is gone events are scored as ever; once it is there again, it goes on."""
    admin = AdminClient({"bootstrap.servers": flow.servers})
    with Receiver() as receiver:
        crew = Crew(flow, *SESSION, "--notify", receiver.url)
        crew.start_and_wait(0)
        customers = Customers(flow, Random(9))
        customers.send(50, 100)
        until(lambda: told(receiver) == crossings(flow), 60, "every crossing is notified")
        (gone,) = admin.delete_topics([f"{flow.group}.notified"]).values()
        gone.result()
        customers.send(200, 100)
        until(lambda: flow.is_scored, 30, "all is scored")
        until(lambda: crew.said("notifier_failed") > 0, 60, "the notifier says that it cannot work")
        flow.run("topics", "create", "--notified")
        until(lambda: not crossings(flow) - told(receiver), 120, "every crossing is notified")
        crew.finish()

    assert crew.problems == []

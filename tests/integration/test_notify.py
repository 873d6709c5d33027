"""Webhooks of a consumer on the embedded broker, to a real HTTP server."""

import json
import signal
import time
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from builders import customer
from churnstream.pipeline.notify.webhook import SIGNATURE, signature
from integration.flow import Flow, NewFlow, Sent, headers_of, until, value_of
from receiver import Received, Receiver, hang

STAYS = {"Contract": "Two year", "tenure": 70, "InternetService": "No"}


def event(name: str, **changes: object) -> Sent:
    """An event of a customer who is likely to leave, unless changed."""
    changes = {"InternetService": "Fiber optic", "MonthlyCharges": 95.0, **changes}
    value = json.dumps(customer(customerID=name, **changes)).encode()
    return Sent(value, name.encode())


@pytest.fixture
def flow(new_flow: NewFlow, request: pytest.FixtureRequest) -> Flow:
    """One with a topic for notified customers."""
    flow = new_flow(request.node.name)
    sections = yaml.safe_load(flow.config.read_text())
    sections["topics"]["notified"] = f"notified-{uuid4().hex}"
    sections["notify"] = {"secret": "geheim-geheim", "timeout": 2}
    flow.config.write_text(yaml.safe_dump(sections))
    assert flow.run("topics create", "--notified").code == 0
    return flow


def names(receiver: Receiver) -> list[str]:
    """The customers of whom the receiver was told."""
    return [one["id"] for one in receiver.accepted]


def test_each_crossing_is_notified_once(flow: Flow) -> None:
    """Of a customer who stays at risk nothing more is said, over restarts; of one back at risk it is."""
    with Receiver() as receiver:
        flow.send([event("A"), event("B", **STAYS), event("A")])
        ran = flow.run("consume --mode batch", "--notify", receiver.url)
        assert ran.code == 0, ran.err
        first = names(receiver)
        flow.send([event("A"), event("B")])
        flow.run("consume --mode batch", "--notify", receiver.url)
        second = names(receiver)[len(first) :]
        flow.send([event("A", **STAYS), event("A"), event("B")])
        flow.run("consume --mode batch", "--notify", receiver.url)
        third = names(receiver)[len(first + second) :]

    assert "1 notified, 0 refused" in ran.out
    assert (first, second, third) == (["A"], ["B"], ["A"])

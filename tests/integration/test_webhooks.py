"""Webhooks of a consumer on the embedded broker, to a real HTTP server."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from builders import customer
from churnstream.pipeline.notify import notifier
from churnstream.pipeline.notify.webhook import SIGNATURE, signature
from churnstream.testing.embedded import free_port
from integration.flow import Flow, NewFlow, Sent, headers_of, until, value_of
from receiver import Received, Receiver, hang

EXAMPLE = Path(__file__).parents[2] / "examples" / "webhook.py"
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
    """Over restarts, too; one who is back at risk after having left it crosses again."""
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


def test_the_newest_predictions_stay_predictions(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of webhooks goes to no other topic than its own."""
    newest = f"{flow.settings.topics.output}.newest"
    monkeypatch.setenv("CHURNSTREAM_TOPICS__NEWEST", newest)
    assert flow.run("topics create --notified").code == 0
    with Receiver() as receiver:
        flow.send([event("A"), event("B")])
        ran = flow.run("consume --mode batch", "--notify", receiver.url)
        assert ran.code == 0, ran.err

    assert sorted(names(receiver)) == ["A", "B"]
    assert [one.value() for one in flow.read(newest)] == [
        one.value() for one in flow.read(flow.settings.topics.output)
    ]


def test_a_webhook_says_who_and_why_and_is_signed(flow: Flow) -> None:
    """The receiver can tell who sent it, and knows one that comes again by its key."""
    with Receiver() as receiver:
        flow.send([event("A")])
        ran = flow.run("consume --mode batch", "--notify", f"{receiver.url}?token=geheim")
    (request,) = receiver.received
    told = request.notification
    (made,) = flow.predictions()

    assert told["id"] == "A"
    assert told["churn_probability"] == made.churn_probability
    assert (told["prediction"], told["model_version"]) == ("Yes", made.model_version)
    assert told["reasons"] == [reason.text for reason in made.reasons]
    assert told["event_ts"] == "2026-01-02T03:04:05Z"
    assert told["notification_id"] == request.headers["Idempotency-Key"]
    seconds = int(request.headers[SIGNATURE].split(",")[0].removeprefix("t="))
    assert request.headers[SIGNATURE] == signature("geheim-geheim", seconds, request.body)
    assert abs(time.time() - seconds) < 60
    assert "geheim" not in ran.out + ran.err


def test_what_fails_is_sent_until_it_arrives(flow: Flow) -> None:
    """With the same key and body each time."""

    def busy_at_first(_: Received) -> tuple[int, dict[str, str]]:
        return (204, {}) if len(receiver.received) > 1 else (503, {"Retry-After": "0"})

    with Receiver(busy_at_first) as receiver:
        flow.send([event("A")])
        ran = flow.run("consume --mode batch", "--notify", receiver.url)

    assert [one.status for one in receiver.received] == [503, 503, 204]
    assert len({one.body for one in receiver.received}) == 1
    assert len({one.headers["Idempotency-Key"] for one in receiver.received}) == 1
    assert "1 notified, 0 refused" in ran.out


def test_what_is_refused_is_sent_again_at_the_next_start(flow: Flow) -> None:
    """Once whoever was called has mended the receiver; of those who fell below, nothing is sent."""
    with Receiver(lambda _: (301, {"Location": "/"})) as receiver:
        flow.send([event("A"), event("B")])
        ran = flow.run("consume --mode batch", "--notify", receiver.url)
        assert "0 notified, 2 refused" in ran.out
        assert "because=HTTP 301 Moved Permanently" in ran.err.replace("'", "")
        assert len(receiver.received) == 2
        flow.send([event("B", **STAYS)])
        flow.run("consume --mode batch")
        flow.run("consume --mode batch", "--notify", receiver.url)
        receiver.answer = lambda _: (200, {})
        before = len(receiver.received)
        ran = flow.run("consume --mode batch", "--notify", receiver.url)

    assert before == 4, "those two once more"
    assert [one.notification["id"] for one in receiver.received[before:]] == ["A"]
    assert "1 notified, 0 refused" in ran.out


def test_a_receiver_that_is_away_is_for_the_next_run(flow: Flow, free_address: str) -> None:
    """The run ends well after notify.drain, and says what is left."""
    flow.send([event("A"), event("B")])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CHURNSTREAM_NOTIFY__DRAIN", "8")
        ran = flow.run("consume --mode batch", "--notify", f"http://{free_address}/geheim")
    with Receiver() as receiver:
        flow.run("consume --mode batch", "--notify", receiver.url)

    assert ran.code == 0, ran.err
    assert "0 notified, 0 refused; 2 wait" in ran.out
    assert "notify_unreachable" in ran.err
    assert "geheim" not in ran.out + ran.err
    assert sorted(names(receiver)) == ["A", "B"]


def test_a_receiver_that_hangs_holds_up_nothing(flow: Flow) -> None:
    """Events are scored as ever, and a stop signal is answered within 5 s."""
    with Receiver(hang) as receiver, flow.process("consume", "--notify", receiver.url) as consumer:
        until(lambda: consumer.says("partitions_assigned"))
        flow.send([event(f"C{number}") for number in range(50)])
        until(lambda: len(flow.predictions()) == 50)
        flow.send([event(f"D{number}") for number in range(50)])
        until(lambda: len(flow.predictions()) == 100)
        began = time.monotonic()
        consumer.popen.send_signal(signal.SIGTERM)
        code = consumer.wait()
        took = time.monotonic() - began

    assert code == 0, consumer.err
    assert took < 5
    assert "100 scored" in consumer.out
    assert "0 notified, 0 refused" in consumer.out


def test_no_more_is_read_than_can_wait(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading stops while too many wait, and goes on when they are delivered."""
    monkeypatch.setattr(notifier, "_MAX_PENDING", 2)
    monkeypatch.setattr(notifier, "_BATCH", 3)

    def slow(_: Received) -> tuple[int, dict[str, str]]:
        time.sleep(0.1)
        return 204, {}

    with Receiver(slow) as receiver:
        flow.send([event(f"C{number}") for number in range(60)])
        ran = flow.run("consume --mode batch", "--notify", receiver.url)

    assert "60 notified, 0 refused\n" in ran.out
    assert sorted(names(receiver)) == sorted(f"C{number}" for number in range(60))


def test_foreign_records_stop_nothing(flow: Flow) -> None:
    """Anybody may write to the topics of predictions and of notified customers."""
    names_ = flow.settings.topics
    with Receiver() as receiver:
        flow.send([event("A")])
        flow.run("consume --mode batch", "--notify", receiver.url)
        (good,) = flow.read(names_.output)
        theirs = value_of(good)
        flow.send(
            [
                Sent(None, b"A"),
                Sent(None, None),
                Sent(b"A", b"A"),
                Sent(b'{"prediction":"Yes"}', b"X"),
                Sent(theirs, b"X"),
                Sent(theirs.replace(b'"Yes"', b'"No"'), b"X"),
                Sent(theirs, None),
                Sent(b'"prediction":"Yes"' * 9_000, b"Y"),
            ],
            names_.output,
        )
        flow.send([Sent(b"[", b"B"), Sent(b"{}", b"A"), Sent(b"\xff", None)], yaml_notified(flow))
        flow.send([event("B")])
        ran = flow.run("consume --mode batch", "--notify", receiver.url)

    assert ran.code == 0, ran.err
    assert names(receiver)[0] == "A"
    assert names(receiver)[-1] == "B"
    assert "X" not in names(receiver)
    assert "notifier_failed" not in ran.err


def yaml_notified(flow: Flow) -> str:
    """The flow's topic of notified customers."""
    return str(yaml.safe_load(flow.config.read_text())["topics"]["notified"])


def test_notifying_begins_with_what_is_predicted_from_now_on(flow: Flow) -> None:
    """Those of the past are not sent all at once."""
    flow.send([event("A"), event("B")])
    flow.run("consume --mode batch")
    flow.send([event("B"), event("C")])
    with Receiver() as receiver:
        flow.run("consume --mode batch", "--notify", receiver.url)

    assert sorted(names(receiver)) == ["B", "C"]


def test_a_topic_that_is_missing_ends_the_consumer_at_its_start(flow: Flow) -> None:
    """With the command that makes it; nothing is scored."""
    sections = yaml.safe_load(flow.config.read_text())
    sections["topics"]["notified"] = f"missing-{uuid4().hex}"
    flow.config.write_text(yaml.safe_dump(sections))
    flow.send([event("A")])
    ran = flow.run("consume --mode batch", "--notify", "http://127.0.0.1:9/")

    assert ran.code == 1
    assert ran.error.endswith("; run: churnstream topics create --notified")
    assert flow.predictions() == []


@pytest.mark.parametrize("secret", ["geheim-geheim", "another-one"])
def test_the_example_takes_what_is_genuine(flow: Flow, tmp_path: Path, secret: str) -> None:
    """A receiver that checks the signature shows the customer, or turns the webhook down."""
    out, port = tmp_path / "out", free_port()
    with out.open("wb") as file:
        receiver = subprocess.Popen(
            [sys.executable, str(EXAMPLE), str(port)],
            env=os.environ | {"CHURNSTREAM_NOTIFY__SECRET": secret},
            stdout=file,
            stderr=subprocess.DEVNULL,
        )
    try:
        flow.send([event("A")])
        ran = flow.run("consume --mode batch", "--notify", f"http://127.0.0.1:{port}/")
    finally:
        receiver.kill()
        receiver.wait()

    is_genuine = secret == "geheim-geheim"
    assert ("1 notified, 0 refused" if is_genuine else "0 notified, 1 refused") in ran.out
    assert out.read_text().startswith("A: ") is is_genuine


def test_the_audit_sees_no_difference(flow: Flow, tmp_path: Path) -> None:
    """What is refused is no dead letter of an event."""
    flow.send([event("A"), Sent(b"{}", b"A")])
    with Receiver(lambda _: (404, {})) as receiver:
        flow.run("consume --mode batch", "--notify", receiver.url)
        audit = flow.run("audit")

    assert audit.code == 0, audit.out
    assert [headers_of(one)["churnstream.reason"] for one in flow.dead_letters()]

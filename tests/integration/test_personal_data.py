"""No log says who a customer is, or what a record holds."""

import json
import re
from pathlib import Path

import pytest

from builders import customer, event_json, write_csv
from churnstream.pipeline.dead_letter_headers import HEADER_NAMES
from churnstream.testing.embedded import free_port
from integration.flow import Flow, Sent, until
from integration.test_live_page import get

SECRET = "Tell-Nobody"
CHARGES = 1234.567891
DEBUG = ("--log-level", "debug", "-X", "debug=all")


def broken() -> list[Sent]:
    """Records that are rejected, each for another reason, with something to hide in each place."""
    whole = customer(customerID=SECRET, MonthlyCharges=CHARGES)
    changed = [{**whole, name: SECRET} for name in whole if name != "customerID"]
    lacking = [{k: v for k, v in whole.items() if k != name} for name in whole]
    nested = [{**whole, name: {SECRET: SECRET}} for name in whole]
    texts = [json.dumps(value).encode() for value in (*changed, *lacking, *nested)]
    texts += [f"no JSON of {SECRET}".encode(), f'["{SECRET}"]'.encode(), b"\xff" + SECRET.encode()]
    texts.append(json.dumps(whole).encode()[:-1] + f', "customerID": "{SECRET}"}}'.encode())
    headers = [(SECRET, SECRET.encode())]
    own = [Sent(text, SECRET.encode(), headers=headers) for text in texts]
    return [*own, Sent(event_json(), f"key of {SECRET}".encode())]


def strangers() -> list[Sent]:
    """Records that nobody of ours wrote, for the topics of outcomes."""
    value = json.dumps({"customerID": SECRET, "prediction": SECRET}).encode()
    headers = dict.fromkeys(HEADER_NAMES.values(), b"1") | {HEADER_NAMES["reason"]: SECRET.encode()}
    return [
        Sent(value, SECRET.encode(), headers=list(headers.items())),
        Sent(SECRET.encode(), SECRET.encode()),
    ]


@pytest.fixture
def filled(flow: Flow) -> Flow:
    """A flow whose topics hold secrets, good records and bad ones."""
    flow.send(
        [Sent(event_json(customerID=f"{SECRET}-{n}"), f"{SECRET}-{n}".encode()) for n in range(3)]
    )
    flow.send(broken())
    flow.send(strangers(), flow.settings.topics.deadletter)
    return flow


def leaks(log: str) -> list[str]:
    """Lines that say too much."""
    return [line for line in log.splitlines() if SECRET in line or str(CHARGES) in line]


def secret_file(folder: Path) -> Path:
    """Customers to produce."""
    path = write_csv(folder / "customers.csv", 50, MonthlyCharges=CHARGES)
    path.write_text(re.sub(r"\bC(\d+),", rf"{SECRET}-\1,", path.read_text()))
    return path


def test_whatever_flows_no_log_tells_of_it(filled: Flow) -> None:
    """Producers and consumers are silent about records, at the most talkative level, too."""
    file = secret_file(filled.folder)
    with filled.process("consume --mode streaming", *DEBUG) as consumer:
        for mode in ("--mode batch", "--max-events 50 --events-per-sec 500"):
            with filled.process(f"produce {mode}", "--dataset", file, *DEBUG) as producer:
                assert producer.wait() == 0, producer.err
            assert leaks(producer.err) == []
        outcomes = len(filled.events()) + len(strangers())
        until(lambda: len(filled.predictions()) + len(filled.dead_letters()) == outcomes)
        consumer.popen.terminate()
        assert consumer.wait() == 0
    assert len(filled.dead_letters()) > len(customer())
    assert len(consumer.err.splitlines()) > 100
    assert leaks(consumer.err) == []


@pytest.mark.parametrize(
    "command",
    [
        "consume --mode batch",
        "report",
        "audit",
        "drift",
        "dead-letters list",
        "dead-letters replay",
        "topics describe",
    ],
)
def test_no_command_logs_what_it_reads(filled: Flow, command: str) -> None:
    """Results may go to whoever asked for them; the log stays silent."""
    filled.consume()
    with filled.process(command, *DEBUG) as process:
        process.wait()
    assert len(process.err.splitlines()) > 10
    assert leaks(process.err) == []


def test_the_page_shows_customers_and_logs_none(filled: Flow) -> None:
    """Who is looked at on the page does not stand in its log."""
    filled.consume()
    filled.send(strangers(), filled.settings.topics.output)
    port = free_port()
    with filled.process("dashboard", "--port", port, *DEBUG) as page:
        until(lambda: f"{SECRET}-1" in get(port)[1])
        get(port, f"/?customer={SECRET}-1")
        get(port, f"/{SECRET}")
        page.popen.terminate()
        assert page.wait() == 0
    assert leaks(page.err) == []

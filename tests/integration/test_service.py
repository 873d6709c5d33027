"""A consumer inside a service of one's own."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

import churnstream as cs
from builders import event_json
from churnstream.testing.embedded import free_port
from integration.flow import Flow, Sent, scaled_timeout

ROOT = Path(__file__).parents[2]


def send(flow: Flow, customers: int) -> None:
    """Valid events of as many customers."""
    ids = [f"C-{number}" for number in range(customers)]
    flow.send([Sent(event_json(customerID=own), own.encode()) for own in ids])


def test_a_service_is_told_of_every_customer(flow: Flow) -> None:
    """Each once, as its prediction says, and `stop` ends the run with everything committed."""
    told: list[cs.ScoredCustomer] = []
    send(flow, 30)

    def note(batch: Sequence[cs.ScoredCustomer]) -> None:
        told.extend(batch)
        if len(told) == 30:
            scorer.stop()

    scorer = cs.StreamScorer(note, config=flow.config)
    thread = threading.Thread(target=scorer.run)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    published = {(p.source_partition, p.source_offset): p for p in flow.predictions()}
    assert {c.id for c in told} == {f"C-{number}" for number in range(30)}
    for one in told:
        of_it = published[one.partition, one.offset]
        assert (one.id, one.churn_probability) == (of_it.customerID, of_it.churn_probability)
        assert ("Yes" if one.leaves else "No") == of_it.prediction
    assert flow.run("audit").code == 0


def test_names_are_those_of_the_models_customers(flow: Flow, tmp_path: Path) -> None:
    """Where nobody names topics, the run looks for those that the command would."""
    model = cs.train(_bank(tmp_path), cs.infer_schema(_bank(tmp_path), label="left=1"))
    model.save(tmp_path / "model")
    brokers = flow.settings.kafka.brokers
    scorer = cs.StreamScorer(model={"path": str(tmp_path / "model")}, kafka={"brokers": brokers})
    with pytest.raises(cs.ChurnstreamError, match=r"bank\.raw\.customers"):
        scorer.run()


def _bank(folder: Path) -> Path:
    path = folder / "bank.csv"
    rows = (f"B-{n},{n % 7},{1 if n * 7919 % 10 < n % 7 else 0}\n" for n in range(400))
    path.write_text("id,visits,left\n" + "".join(rows))
    return path


def test_the_example_service(flow: Flow, tmp_path: Path) -> None:
    """It answers who is about to leave, and ends with what it has in hand."""
    send(flow, 5)
    port = free_port()
    example = ROOT / "examples" / "service.py"
    program = [sys.executable, str(example), str(flow.config), str(port)]
    with subprocess.Popen(program) as service:
        try:
            leaving = _ask(f"http://127.0.0.1:{port}/", 5, service)
        finally:
            service.send_signal(signal.SIGINT)
        assert service.wait(scaled_timeout(20)) in {0, -signal.SIGINT}
    predicted = [p for p in flow.predictions() if p.prediction == "Yes"]
    assert leaving == {p.customerID: p.churn_probability for p in predicted}


def _ask(address: str, customers: int, service: subprocess.Popen[bytes]) -> dict[str, float]:
    """Its answer once it knows so many customers."""
    deadline = time.monotonic() + scaled_timeout(60)
    while True:
        assert time.monotonic() < deadline
        assert service.poll() is None
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            found: dict[str, float] = json.load(answer)
            if len(found) == customers:
                return found
        time.sleep(0.2)

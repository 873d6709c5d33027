"""The three DAGs at work: what they leave behind, and what a failure does to it.

The tests build on each other, as a day does on the one before.
"""

from __future__ import annotations

import csv
import gzip
import time
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import psutil
from cluster import Cluster
from orchestra import ROOT, Application, Orchestra, until

CUSTOMERS = 7_043
MANY = 30_000
UNSTEADY = {"duration_s", "events_per_sec", "generated_at"}


def all_green(states: dict[str, str]) -> bool:
    """Whether the run and each of its tasks succeeded."""
    return set(states.values()) == {"success"}


def test_training(orchestra: Orchestra) -> None:
    """The first model is trained, compared and becomes the champion."""
    run = orchestra.scheduled("churn_training")
    assert all_green(run.wait()), run.tasks
    verdict = run.answer("compare")
    champion = orchestra.application.json("models/telco-churn/manifest.json")["version"]
    assert (verdict["better"], verdict["version"]) == (True, champion)


def test_batch(orchestra: Orchestra) -> None:
    """The interval's file is sent, scored, checked, and its summary published."""
    run = orchestra.scheduled("kafka_batch")
    assert all_green(run.wait()), run.tasks
    assert orchestra.application.audit()["events"] == CUSTOMERS
    assert orchestra.application.json("reports/summary.json")["scored"] == CUSTOMERS
    assert (orchestra.application.folder / "reports/summary.html").exists()


def test_batch_of_the_same_interval_again(orchestra: Orchestra) -> None:
    """Run again, an interval has the same window and the same summary, and repeats nothing."""
    run, application = orchestra.scheduled("kafka_batch"), orchestra.application
    window, before = run.answer("produce"), _lasting(application)
    run.again()
    assert all_green(run.wait()), run.tasks
    assert run.tasks["produce"]["try_number"] > 1
    assert run.answer("produce") == window | {"sent": 0}
    assert application.audit()["events"] == CUSTOMERS
    assert _lasting(application) == before


def _lasting(application: Application) -> dict[str, Any]:
    """The summary without what differs each time that it is made."""
    summary: dict[str, Any] = application.json("reports/summary.json")
    return {key: value for key, value in summary.items() if key not in UNSTEADY}


def test_killed_task(orchestra: Orchestra) -> None:
    """A task that is killed while it sends a file is tried again, and no row is lost or repeated.

    The file's name is that of the interval.
    """
    application = orchestra.application
    _write_customers(application.folder / f"customers-{time.strftime('%Y', time.gmtime())}.csv")
    before = application.events
    run = orchestra.trigger(
        "kafka_batch", dataset="customers-%Y.csv", batch_size=100, summary="reports/%Y.json"
    )
    until(lambda: application.producer is not None)
    until(lambda: application.events > before)
    command = application.producer
    assert command is not None, "it had sent everything already"
    for process in (command.parent(), command):
        assert process is not None
        process.kill()
    assert all_green(run.wait()), run.tasks
    assert run.tasks["produce"]["try_number"] == 2
    sent = run.answer("produce")
    assert 0 < sent["sent"] < sent["rows"] == MANY
    window = ("--from", sent["from"], "--to", sent["to"])
    assert application.audit(*window)["events"] == MANY
    assert application.audit()["events"] == CUSTOMERS + MANY
    year = time.strftime("%Y", time.gmtime())
    assert application.json(f"reports/{year}.json")["scored"] == MANY


def _write_customers(path: Path) -> None:
    bundled = ROOT / "src" / "churnstream" / "data" / "customers.csv.gz"
    with gzip.open(bundled, "rt", newline="") as source, path.open("w", newline="") as target:
        rows = list(csv.DictReader(source))
        writer = csv.DictWriter(target, rows[0])
        writer.writeheader()
        for number in range(MANY):
            name = f"{number:08d}-TESTS"
            writer.writerow(rows[number % len(rows)] | {"customerID": name})


def test_streaming(orchestra: Orchestra) -> None:
    """A consumer is started where none runs, and the stream is found to be well."""
    run = orchestra.scheduled("kafka_streaming")
    assert all_green(run.wait()), run.tasks
    application = orchestra.application
    application.run("produce", "--max-events", 200, "--events-per-sec", 1000)
    until(lambda: application.is_scored)


def test_broker_down(orchestra: Orchestra, kafka: Cluster, chat: HTTPServer) -> None:
    """A dead broker fails the run and is alerted with its reason; once back, all is well again.

    The consumer lives through it, and none is started beside it.
    """
    application = orchestra.application
    pid = (application.folder / ".churnstream" / "consumer.pid").read_text()
    kafka.kill(1)
    run = orchestra.trigger("kafka_streaming")
    states = run.wait()
    assert states["run"] == states["broker_and_topics"] == "failed"
    assert run.tasks["broker_and_topics"]["try_number"] == 3
    reason = f"no broker answered at {kafka.bootstrap_servers} within 3 s"
    alerts = (application.folder / "reports" / "alerts.jsonl").read_text().splitlines()
    assert len(alerts) == 1
    assert reason in alerts[0]
    assert f"kafka_streaming.broker_and_topics failed in {run.id}" in chat.said[0]  # type: ignore[attr-defined]
    assert reason in chat.said[0]  # type: ignore[attr-defined]

    kafka.restart(1)
    run.again(only_failed=True)
    assert all_green(run.wait()), run.tasks
    assert (application.folder / ".churnstream" / "consumer.pid").read_text() == pid
    assert psutil.pid_exists(int(pid))
    application.run("produce", "--max-events", 200, "--events-per-sec", 1000)
    until(lambda: application.is_scored)


def test_training_while_a_consumer_runs(orchestra: Orchestra) -> None:
    """A model that is promoted is taken over by the running consumer, without a restart."""
    run, application = orchestra.trigger("churn_training"), orchestra.application
    assert all_green(run.wait()), run.tasks
    verdict = run.answer("compare")
    assert "the champion's" in verdict["reason"]

    def has_scored() -> bool:
        application.run("produce", "--max-events", 20, "--events-per-sec", 1000)
        application.run("report")
        return verdict["version"] in application.json("reports/summary.json")["model_version"]

    until(has_scored)

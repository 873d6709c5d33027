"""The alert rules, judged by Prometheus itself, and each seen firing for its real cause.

Minutes are seconds here: the rules are those of monitoring/alerts.yml with shorter times.
"""

import contextlib
import json
import re
import runpy
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from cluster import Cluster
from pyarrow import compute, csv

from builders import telco_rows
from churnstream.observability.consumer_metrics import ConsumerMetrics
from churnstream.observability.liveness import ConsumerHealth, ProducerHealth
from churnstream.observability.notifier_metrics import NotifierMetrics
from churnstream.observability.producer_metrics import ProducerMetrics
from churnstream.pipeline.notify.notifier import NotifyCounts
from churnstream.testing.embedded import HOST, embedded_broker, free_port
from integration.flow import Flow, Process, Sent, until
from receiver import Receiver

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
SHORTER = {
    r"\[5m:15s\]": "[15s:1s]",
    r"\[5m\]": "[15s]",
    r"\[10m\]": "[40s]",
    r"for: \dm": "for: 2s",
    r"timestamp_seconds > 60": "timestamp_seconds > 3",
}
SHORT_TRANSACTIONS = ("-X", "transaction.timeout.ms=1000")
PATIENT = ("-X", "session.timeout.ms=30000")


@pytest.mark.parametrize(
    "command",
    ["check config prometheus.yml", "check rules alerts.yml", "test rules alerts_test.yml"],
)
def test_promtool_finds_nothing(command: str) -> None:
    """Configuration and rules are valid, and the rules' own tests pass."""
    done = subprocess.run(
        ["promtool", *command.split()],
        check=False,
        cwd=MONITORING,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_dashboard_ask_for_metrics_that_exist(flow: Flow) -> None:
    """A renamed metric would leave an alert silent and a chart empty."""
    topics = flow.settings.topics
    consumer = ConsumerMetrics(topics, ConsumerHealth(60)).registry
    NotifierMetrics(consumer, NotifyCounts())
    registries = (
        consumer,
        ProducerMetrics(topics, ProducerHealth(60)).registry,
    )
    known = {family.name for registry in registries for family in registry.collect()}
    dashboard = runpy.run_path(str(ROOT / "tools" / "write_grafana.py"))["files"]()
    asked = (MONITORING / "alerts.yml").read_text() + "".join(dashboard.values())
    for name in re.findall(r"\b(?:churnstream|messaging|process)_[a-z_]+[a-z]\b", asked):
        base = re.sub(r"_(total|bucket|sum|count)$", "", name)
        assert base in known or name == "messaging_destination_name", name


class Prometheus:
    """Prometheus over the metrics of one process."""

    def __init__(self, folder: Path, target: int) -> None:
        rules = (MONITORING / "alerts.yml").read_text()
        for pattern, shorter in SHORTER.items():
            rules, found = re.subn(pattern, shorter, rules)
            assert found, pattern
        (folder / "alerts.yml").write_text(rules)
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (job,) = config["scrape_configs"]
        job["static_configs"] = [{"targets": [f"{HOST}:{target}"], "labels": {"role": "consumer"}}]
        self._config = folder / "prometheus.yml"
        self._config.write_text(yaml.safe_dump(config))
        self._folder, self._port = folder, free_port()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Scrape for the length of a with-block."""
        command = [
            "prometheus",
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={HOST}:{self._port}",
        ]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)

    def _get(self, path: str) -> dict[str, list[dict[str, object]]]:
        with urllib.request.urlopen(f"http://{HOST}:{self._port}{path}", timeout=5) as answer:
            return json.load(answer)["data"]  # type: ignore[no-any-return]

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        with contextlib.suppress(OSError):
            found = self._get("/api/v1/alerts")["alerts"]
            return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}  # type: ignore
        return set()

    def is_up(self) -> bool:
        """Whether the process was scraped."""
        with contextlib.suppress(OSError):
            targets = self._get("/api/v1/targets")["activeTargets"]
            return [one["health"] for one in targets] == ["up"]
        return False


@contextlib.contextmanager
def watched(flow: Flow, *flags: object) -> Iterator[tuple[Process, Prometheus]]:
    """A consumer that Prometheus scrapes, without any alert so far."""
    port = free_port()
    prometheus = Prometheus(flow.folder, port)
    with (
        flow.process("consume", "--metrics-port", port, *flags) as consumer,
        prometheus.running(),
    ):
        until(prometheus.is_up)
        until(lambda: consumer.says("partitions_assigned"))
        until(lambda: prometheus.firing() == set())
        yield consumer, prometheus


def test_a_consumer_that_died(flow: Flow) -> None:
    """ChurnstreamDown, while a consumer that works raises nothing."""
    with watched(flow) as (consumer, prometheus):
        flow.run("produce --max-events 500 --events-per-sec 100")
        assert prometheus.firing() == set()
        consumer.popen.kill()
        until(lambda: "ChurnstreamDown" in prometheus.firing())


def test_a_broker_that_stands_still(model_folder: Path, tmp_path: Path) -> None:
    """ChurnstreamNoProgress, which ends when the broker goes on."""
    with embedded_broker() as address:
        own = Flow.create(tmp_path, "still", address, model_folder)
        port = address.rpartition(":")[2]
        (process,) = [p for p in psutil.Process().children() if f":{port}" in " ".join(p.cmdline())]
        with (
            watched(own) as (_, prometheus),
            own.process("produce --events-per-sec 500") as producer,
        ):
            until(lambda: len(own.predictions()) > 100)
            process.suspend()
            try:
                until(lambda: "ChurnstreamNoProgress" in prometheus.firing(), 60)
            finally:
                process.resume()
            until(lambda: "ChurnstreamNoProgress" not in prometheus.firing(), 60)
            producer.popen.send_signal(signal.SIGTERM)


def test_more_events_than_the_consumer_can_score(flow: Flow) -> None:
    """ChurnstreamLagGrows."""
    with (
        watched(flow, "--batch-size", 1) as (_, prometheus),
        flow.process("produce --events-per-sec 2000"),
    ):
        until(lambda: "ChurnstreamLagGrows" in prometheus.firing(), 60)


def test_a_producer_that_changed_its_format(flow: Flow) -> None:
    """ChurnstreamDeadLetters."""

    def still_none(prometheus: Prometheus) -> bool:
        flow.send([Sent(b"no JSON", b"k")] * 20)
        return "ChurnstreamDeadLetters" in prometheus.firing()

    with watched(flow) as (_, prometheus):
        until(lambda: still_none(prometheus), 60)


def test_a_broker_that_freezes_again_and_again(model_folder: Path, tmp_path: Path) -> None:
    """ChurnstreamTransactionsAborted, which ends when the broker is well, with nothing lost."""

    def frozen_until_it_fires(cluster: Cluster, prometheus: Prometheus) -> bool:
        """Each time for longer than a transaction may last."""
        cluster.pause(1)
        time.sleep(2)
        cluster.resume(1)
        time.sleep(1)
        return "ChurnstreamTransactionsAborted" in prometheus.firing()

    with Cluster() as cluster:
        own = Flow.create(tmp_path, "frozen", cluster.bootstrap_servers, model_folder)
        with (
            watched(own, *PATIENT, *SHORT_TRANSACTIONS) as (_, prometheus),
            own.process("produce --events-per-sec 200"),
        ):
            until(lambda: len(own.predictions()) > 0)
            until(lambda: frozen_until_it_fires(cluster, prometheus), 90)
            until(lambda: "ChurnstreamTransactionsAborted" not in prometheus.firing(), 90)
        own.consume()
        assert own.run("audit").code == 0


def test_customers_unlike_those_of_the_training(flow: Flow) -> None:
    """ChurnstreamDrift."""
    rows = next(telco_rows().batches(10_000))
    loyal = rows.filter(compute.equal(rows["Contract"], "Two year"))
    with csv.CSVWriter(flow.folder / "loyal.csv", rows.schema) as writer:
        writer.write_batch(loyal)
        writer.write_batch(loyal)
    with watched(flow, "--batch-size", 25) as (_, prometheus):
        flow.run("produce --mode batch", "--dataset", flow.folder / "loyal.csv")
        until(lambda: "ChurnstreamDrift" in prometheus.firing(), 60)


def test_a_receiver_that_refuses_or_is_away(flow: Flow) -> None:
    """ChurnstreamNotificationsRefused, then ChurnstreamNotificationsWait."""
    flow.run("topics create --notified")
    with (
        Receiver(lambda _: (400, {})) as receiver,
        watched(flow, "--notify", receiver.url) as (_, prometheus),
    ):
        flow.run("produce --max-events 300 --events-per-sec 100")
        until(lambda: "ChurnstreamNotificationsRefused" in prometheus.firing(), 60)
        receiver.answer = lambda _: (503, {})
        flow.run("produce --max-events 300 --events-per-sec 100")
        until(lambda: "ChurnstreamNotificationsWait" in prometheus.firing(), 60)


def test_a_model_that_cannot_be_trusted(flow: Flow, model_folder: Path) -> None:
    """ChurnstreamModelRejected."""
    mine = flow.folder / "mine"
    shutil.copytree(model_folder, mine)
    with watched(flow, "--model", mine, "--model-refresh", 0.5) as (_, prometheus):
        (mine / "manifest.json").write_text("{}")
        until(lambda: "ChurnstreamModelRejected" in prometheus.firing(), 60)

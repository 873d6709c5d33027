"""The container files, as far as they can be checked without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of docker-compose.yml, anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services: dict[str, Any] = loaded["services"]
    return services


def created_topics(tmp_path: Path, **environment: str) -> dict[str, list[str]]:
    """Run init-topics.sh with a stand-in for Kafka's tool that notes its arguments."""
    tool, calls = tmp_path / "kafka-topics.sh", tmp_path / "calls"
    tool.write_text(f'#!/bin/sh\necho "$@" >>"{calls}"\n')
    tool.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    script = ROOT / "kafka" / "init-topics.sh"
    subprocess.run([script], check=True, env={"PATH": path, **environment})
    lines = [line.split() for line in calls.read_text().splitlines()]
    return {line[line.index("--topic") + 1]: line for line in lines}


def option(call: list[str], name: str) -> str | None:
    """Return the value of an option in a noted call."""
    return call[call.index(name) + 1] if name in call else None


def test_topics_of_the_contract(tmp_path: Path) -> None:
    """The topics are the contract's, with its partitions and settings, and may exist already."""
    calls = created_topics(tmp_path)
    assert {
        topic: (option(call, "--partitions"), option(call, "--config"))
        for topic, call in calls.items()
    } == {
        "telco.raw.customers": ("3", None),
        "telco.churn.predictions": ("3", None),
        "telco.deadletter": ("1", "max.message.bytes=2097152"),
        "telco.producer.checkpoints": ("1", "cleanup.policy=compact"),
    }
    assert all("--if-not-exists" in call for call in calls.values())


def test_topics_from_the_environment(tmp_path: Path) -> None:
    """Broker, partitions and replicas come from the environment."""
    calls = created_topics(
        tmp_path, BOOTSTRAP_SERVERS="broker:1234", PARTITIONS="12", REPLICATION_FACTOR="3"
    )
    assert option(calls["telco.raw.customers"], "--partitions") == "12"
    assert option(calls["telco.deadletter"], "--partitions") == "1"
    assert {option(call, "--replication-factor") for call in calls.values()} == {"3"}
    assert {option(call, "--bootstrap-server") for call in calls.values()} == {"broker:1234"}


def test_images_are_pinned(services: dict[str, Any]) -> None:
    """Every image names a version, and none of them is latest."""
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for image in [*bases, *(service["image"] for service in services.values())]:
        assert re.search(r":v?\d", image), image


def test_image_runs_as_nobody_special() -> None:
    """The application's image ends as a user other than root."""
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert int(users[-1]) > 0


def test_image_is_built_from_the_lock_file() -> None:
    """Every dependency has a known hash, and building the package fetches nothing more."""
    installs = re.findall(r"pip install (.*)", (ROOT / "Dockerfile").read_text())
    assert installs == [
        "--no-deps --require-hashes -r base.lock",
        "--no-deps --no-build-isolation .",
    ]


def test_application(services: dict[str, Any]) -> None:
    """Producer and consumer start only with their topics, the consumer only with a model."""
    done = {"condition": "service_completed_successfully"}
    producer, consumer = services["producer"], services["consumer"]
    watched = "--broker kafka:9092 --metrics-port 9100 --metrics-host 0.0.0.0"
    assert producer["command"] == f"churnstream produce --mode streaming {watched}"
    assert producer["depends_on"] == {"init-topics": done}
    assert consumer["command"] == f"churnstream consume --mode streaming {watched}"
    assert consumer["depends_on"] == {"init-topics": done, "train": done}
    assert services["train"]["volumes"] == consumer["volumes"] == ["models:/app/models"]


def test_ports_stay_on_this_machine(services: dict[str, Any]) -> None:
    """No port of a service without passwords is open to the network."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_zookeeper_only_on_request(services: dict[str, Any]) -> None:
    """What has to do with ZooKeeper starts with its profile only."""
    on_request = {name for name, service in services.items() if "profiles" in service}
    assert on_request == {name for name in services if "zookeeper" in name}


def test_prometheus_knows_producer_and_consumer(services: dict[str, Any]) -> None:
    """It scrapes the services under their names, with the files that are mounted."""
    config = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text())
    targets = [
        t for job in config["scrape_configs"] for s in job["static_configs"] for t in s["targets"]
    ]
    assert sorted(targets) == ["consumer:9100", "producer:9100"]
    for service in ("prometheus", "grafana"):
        for volume in services[service]["volumes"]:
            assert (ROOT / volume.split(":")[0]).exists(), volume

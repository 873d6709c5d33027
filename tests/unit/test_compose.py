"""The container files, as far as they can be checked without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from churnstream.pipeline.topic_layout import topic_specs
from churnstream.settings import Settings

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


def test_topics_for_some_only(tmp_path: Path) -> None:
    """Those of newest predictions and of webhooks are created as `topics create` does, if named."""
    calls = created_topics(tmp_path, NEWEST_TOPIC="x.newest", NOTIFIED_TOPIC="x.notified")
    settings = Settings.model_construct()
    topics = settings.topics.model_copy(update={"newest": "x.newest", "notified": "x.notified"})
    specs = topic_specs(settings.model_copy(update={"topics": topics}), notified=True)
    assert {
        topic: (option(call, "--partitions"), option(call, "--config"))
        for topic, call in calls.items()
    } == {
        spec.name: (
            str(spec.partitions),
            next((f"{name}={value}" for name, value in spec.config.items()), None),
        )
        for spec in specs
    }


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
    text = (ROOT / "Dockerfile").read_text()
    (base,) = re.findall(r"^ARG PYTHON=(\S+)", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON}"}
    for image in [base, *(service["image"] for service in services.values())]:
        assert re.search(r":v?\d", image), image


def test_image_runs_as_nobody_special() -> None:
    """The application's image ends as a user other than root."""
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert int(users[-1]) > 0


def test_image_is_built_from_the_lock_file() -> None:
    """Every dependency has a known hash, and building the package fetches nothing more."""
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"(?:pip|python) (?:install|wheel) (.*)", text) == [
        "--no-deps --require-hashes -r ${LOCK}",
        "--no-deps --require-hashes -r build.lock",
        "--no-deps --no-build-isolation --wheel-dir dist .",
        "--no-deps --no-index dist/*.whl",
    ]


def names(lock: str) -> set[str]:
    """The packages of a lock file."""
    text = (ROOT / "requirements" / lock).read_text()
    return set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))


def test_what_builds_stays_out_of_the_image() -> None:
    """What runs is neither built nor installed with anything that is still there."""
    _, build, run = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert re.findall(r"COPY --from=build (\S+)", run) == [
        "/usr/bin/tini-static",
        "/opt/churnstream",
    ]
    assert "python -m venv --without-pip /opt/churnstream" in build
    assert set(project["dependency-groups"]["build"]) <= names("build.lock")
    for lock in ("image.lock", "train.lock"):
        assert not set(project["dependency-groups"]["build"]) & names(lock)
    assert re.search(r"pip uninstall .*wheel setuptools pip", run)


WRITES_ITS_SETTINGS = {"zookeeper", "kafka-zookeeper"}


def test_no_container_may_gain_rights_or_write_where_it_runs(services: dict[str, Any]) -> None:
    """Whoever breaks into one finds no root, no capability and nothing to change."""
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] == (name not in WRITES_ITS_SETTINGS), name
        assert any(place.split(":")[0] == "/tmp" for place in service["tmpfs"]), name
        assert not service.get("privileged")


def test_no_password_is_known_beforehand(services: dict[str, Any]) -> None:
    """Grafana's comes from whoever starts it, and nothing starts without one."""
    text = (ROOT / "docker-compose.yml").read_text()
    given = services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]

    assert given.startswith("${GRAFANA_PASSWORD:?")
    assert "GRAFANA_PASSWORD=" in given
    assert re.findall(r"PASSWORD: (?!\$\{)", text) == []
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_application(services: dict[str, Any]) -> None:
    """Producer and consumer start only with their topics, the consumer only with a model."""
    done = {"condition": "service_completed_successfully"}
    producer, consumer = services["producer"], services["consumer"]
    watched = "--broker kafka:9092 --metrics-port 9100 --metrics-host 0.0.0.0"
    assert producer["command"] == f"churnstream produce --mode streaming {watched}"
    assert producer["depends_on"] == {"init-topics": done}
    own = watched.replace("9092 ", '9092 --instance "$$HOSTNAME" ', 1)
    assert consumer["command"] == f"sh -c 'exec churnstream consume --mode streaming {own}'"
    assert consumer["depends_on"] == {"init-topics": done, "train": done}
    assert services["train"]["volumes"] == consumer["volumes"]
    assert "models:/app/models" in consumer["volumes"]


ONCE = {"init-topics", "init-topics-zookeeper", "train"}


def test_what_dies_is_started_again(services: dict[str, Any]) -> None:
    """Each service that lasts comes back unless it was stopped, and says whether it works."""
    for name, service in services.items():
        assert service["restart"] == ("on-failure:3" if name in ONCE else "unless-stopped"), name
        assert name in ONCE or service["healthcheck"]["test"], name


def test_no_service_takes_the_machine_from_the_others(services: dict[str, Any]) -> None:
    """Memory, processes and logs have an end."""
    for name, service in services.items():
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["pids_limit"] <= 512, name
        assert service["logging"]["options"]["max-size"], name


def test_what_only_training_needs_stays_out_of_the_other_services(
    services: dict[str, Any],
) -> None:
    """Whoever trains or reads files has an image of its own, and both have the same base."""
    for name, service in services.items():
        if "build" in service:
            args = service["build"]["args"]
            trains = name in {"train", "producer"}
            assert service["image"].startswith("churnstream-train:" if trains else "churnstream:")
            assert args.get("LOCK", "image.lock") == ("train.lock" if trains else "image.lock")
            assert args["PYTHON"] == "${PYTHON_IMAGE:-python:3.11-slim}"


def test_image_says_which_version_it_is() -> None:
    """The label, the tags and the package name the same version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    compose = (ROOT / "docker-compose.yml").read_text()
    assert f'org.opencontainers.image.version="{version}"' in dockerfile
    assert set(re.findall(r"image: churnstream\S*:(\S+)", compose)) == {version}


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

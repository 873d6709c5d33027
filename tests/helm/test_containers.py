"""What the chart's containers are told to run does its work, here without containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from churnstream.testing.embedded import HOST, embedded_broker, free_port
from helm_chart import VALUES, Resource, one, pods, resources

CHURNSTREAM = Path(sys.executable).with_name("churnstream")
VALUES_USED = next(path for path in VALUES if path.stem == "minimal")
SET = (
    "train.enabled=true",
    "dashboard.enabled=true",
    "secrets.dashboard\\.token.name=page",
    "secrets.dashboard\\.token.key=token",
)
_SECONDS = 60


class Place:
    """A folder in place of the containers' /app and /etc/churnstream, with ports that are free.

    Args:
        folder: Is empty.
        broker: In place of the one in the values.
    """

    def __init__(self, folder: Path, broker: str) -> None:
        self._folder = folder
        self._ports = {"9100": str(free_port()), "8090": str(free_port())}
        sets = [*SET, f"config.kafka.brokers={broker}", f"config.consumer.group=helm-{os.getpid()}"]
        self.found = resources(VALUES_USED, *(word for each in sets for word in ("--set", each)))
        text = one(self.found, "ConfigMap")["data"]["config.yaml"]
        # Pods find each other by name, all on the same ports; here all are on one machine.
        text = text.replace("churnstream-consumer-0.churnstream-consumer", HOST)
        for port, ours in self._ports.items():
            text = text.replace(f"0.0.0.0:{port}", ours).replace(port, ours)
        (folder / "config.yaml").write_text(text.replace("0.0.0.0", HOST))

    def container(self, kind: str, part: str) -> Resource:
        """The container of a resource."""
        (found,) = (
            r for r in self.found if r["kind"] == kind and f"-{part}" in r["metadata"]["name"]
        )
        return pods([found])[0]["containers"][0]  # type: ignore[no-any-return]

    def start(self, container: Resource) -> subprocess.Popen[str]:
        """Run what a container runs, with its variables."""
        args = [arg.replace("/etc/churnstream", str(self._folder)) for arg in container["args"]]
        values = {"CHURNSTREAM_CONSUMER__INSTANCE": "0", "CHURNSTREAM_DASHBOARD__TOKEN": "12345678"}
        own = {v["name"]: values[v["name"]] for v in container.get("env", [])}
        outside = {k: v for k, v in os.environ.items() if "CHURNSTREAM_" not in k}
        return subprocess.Popen(
            [CHURNSTREAM, *args],
            cwd=self._folder,
            env=outside | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, kind: str, part: str) -> tuple[int, str]:
        """Run it to its end: exit code and what it said."""
        with self.start(self.container(kind, part)) as process:
            said, _ = process.communicate(timeout=_SECONDS)
            return process.returncode, said

    @contextmanager
    def running(self, kind: str, part: str) -> Iterator[subprocess.Popen[str]]:
        """It runs meanwhile, once its readiness probe says so."""
        container = self.container(kind, part)
        with self.start(container) as process:
            try:
                until = time.monotonic() + _SECONDS
                while self.asked(container) != 200:
                    assert process.poll() is None, process.communicate()[0]
                    assert time.monotonic() < until, part
                    time.sleep(0.2)
                yield process
            finally:
                process.kill()

    def asked(self, container: Resource, path: str = "") -> int:
        """The status of the answer to a probe, or at a path; 0 for none."""
        probe = container["readinessProbe"]["httpGet"]
        (port,) = (p["containerPort"] for p in container["ports"] if p["name"] == probe["port"])
        url = f"http://{HOST}:{self._ports[str(port)]}{path or probe['path']}"
        with suppress(OSError):
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                error.close()
                return error.code
        return 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The containers of a release, with a broker, topics and a model that its Jobs made."""
    with embedded_broker() as broker:
        place = Place(tmp_path_factory.mktemp("app"), broker)
        assert place.run("Job", "topics")[0] == 0
        assert place.run("Job", "train")[0] == 0
        yield place


def test_a_consumer_gets_ready_and_stops(place: Place) -> None:
    """Its probes are answered, and the signal that ends a pod ends it well, in time."""
    with place.running("StatefulSet", "consumer") as process:
        assert place.asked(place.container("StatefulSet", "consumer"), "/livez") == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_the_page_gets_ready_and_asks_for_the_token(place: Place) -> None:
    """Its probe needs no token; the page does, and takes the one of the Secret."""
    with place.running("Deployment", "dashboard"):
        container = place.container("Deployment", "dashboard")
        assert place.asked(container, "/") == 401
        assert place.asked(container, "/?token=wrong") == 401
        assert place.asked(container, "/style.css") == 200


@pytest.mark.parametrize("part", ["health", "audit"])
def test_helm_test_passes(place: Place, part: str) -> None:
    """Both pods of `helm test` end well right after an installation, before there are events."""
    code, said = place.run("Pod", part)
    assert code == 0, said

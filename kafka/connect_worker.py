"""A worker of Kafka Connect on 127.0.0.1 with Debezium's connectors, for the demo and for tests.

with Connect(cluster.bootstrap_servers, environment=database.environment) as worker:
    worker.add(connector("customers-source"))  # as deploy/connect/ has it
    worker.kill()  # as a power cut would
    worker.start()
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import uuid4
from zipfile import ZipFile

from jvm import ClusterError, Jvm, fetched, need, version_in
from network import HOST, free_ports

WORKER = "org.apache.kafka.connect.cli.ConnectDistributed"
POM = Path(__file__).with_name("connect-pom.xml")
TEMPLATE = Path(__file__).with_name("connect.properties")
CONNECTORS = Path(__file__).parents[1] / "deploy" / "connect"
_PLUGINS = ("source", "sink", "avro")
_CONVERTERS = "META-INF/services/org.apache.kafka.connect.storage.Converter"
_AVRO = {
    "": "io.apicurio.registry.utils.converter.AvroConverter",
    ".apicurio.registry.auto-register": "true",
    ".apicurio.registry.as-confluent": "true",
    ".apicurio.registry.headers.enabled": "false",
    # A registry that is away stops new schemas only, as with Confluent's converter.
    ".apicurio.registry.fault-tolerant-refresh": "true",
}
_WITHOUT_REASONS = {  # they are records in a list, for which a row has no place
    "transforms": "row",
    "transforms.row.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
    "transforms.row.exclude": "reasons",
}
_NOT_YET = {404, 409, 503}  # not known yet, between two rebalances, still starting
_READY_WITHIN = 120  # seconds; a worker starts within ten on a machine that has nothing else to do

Connector = Mapping[str, Any]
"""Its `name` and its `config`."""


def connector(name: str) -> Connector:
    """A connector as its file in `deploy/connect` has it."""
    found: Connector = json.loads((CONNECTORS / f"{name}.json").read_text())
    return found


def in_avro(shipped: Connector, registry: str, *parts: str) -> Connector:
    """A connector that writes or reads Avro in Confluent's framing.

    Args:
        shipped: Its form in JSON.
        registry: The address of a schema registry that `kafka/registry` is.
        parts: "key", "value" or both.
    """
    of_json = ("schemas.enable", "schema.content", "replace.null.with.default")
    dropped = {f"value.converter.{name}" for name in of_json}
    config = {name: text for name, text in shipped["config"].items() if name not in dropped}
    address = {".apicurio.registry.url": f"{registry}/apis/registry/v2"}
    for part in parts:
        config |= {f"{part}.converter{name}": text for name, text in (_AVRO | address).items()}
    return {**shipped, "config": config}


def sink_in_avro(sink: Connector, registry: str) -> Connector:
    """A sink that reads predictions in Avro; `registry` is as for `in_avro`."""
    found = in_avro(sink, registry, "value")
    return {**found, "config": found["config"] | _WITHOUT_REASONS}


class Connect:
    """One worker in distributed mode, which keeps everything in topics.

    Args:
        servers: The brokers.
        environment: Variables that connectors may name.
        replicas: Of the worker's own topics.
    """

    def __init__(self, servers: str, *, environment: Mapping[str, str], replicas: int = 1) -> None:
        self._unique = f"churnstream-connect-{uuid4().hex[:12]}"
        self.folder = Path(tempfile.gettempdir(), self._unique)
        self._jvm = Jvm(self.folder, WORKER, free_ports(1)[0], environment)
        self._servers, self._replicas = servers, replicas

    def __enter__(self) -> Connect:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Of its REST interface."""
        return f"http://{HOST}:{self._jvm.port}"

    def start(self) -> None:
        """Start it, or start it again, and return once it answers."""
        need("java", "Install Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)")
        worker = _jars("worker")
        atexit.register(self.stop)
        try:
            self._configure()
            self._jvm.start(worker)
            self._wait(lambda: self._ask("/connectors") is not None, "does not answer")
        except BaseException:  # also when the user interrupts the wait
            self.stop()
            raise

    def stop(self) -> None:
        """End it and remove its folder."""
        self._jvm.wait_gone(timeout=0)  # its topics go with the brokers
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def kill(self) -> None:
        """End it without warning, as a power cut would."""
        self._jvm.wait_gone(timeout=0)

    def add(self, wanted: Connector) -> None:
        """Start a connector and return once it and its task run.

        Raises:
            ClusterError: It failed, and why.
        """
        name = wanted["name"]
        self._ask("/connectors", wanted)
        self._wait(lambda: self.runs(name), f"does not run {name}")

    def runs(self, name: str) -> bool:
        """Whether a connector and its task run.

        Raises:
            ClusterError: It failed, and why.
        """
        status = self._ask(f"/connectors/{name}/status") or {"connector": {}, "tasks": []}
        parts = [status["connector"], *status["tasks"]]
        for part in parts:
            if part.get("state") == "FAILED":
                raise ClusterError(f"connector {name} failed: {_cause(part['trace'])}")
        return len(parts) > 1 and all(part["state"] == "RUNNING" for part in parts)

    def _configure(self) -> None:
        plugins = self.folder / "plugins"
        if not plugins.exists():
            for plugin in _PLUGINS:
                shutil.copytree(_jars(plugin), plugins / plugin, copy_function=os.symlink)
            # The converter does not say what it is, and the worker finds only for those that do.
            with ZipFile(plugins / "avro" / "services.jar", "w") as jar:
                jar.writestr(_CONVERTERS, _AVRO[""])
        configuration = Template(TEMPLATE.read_text()).substitute(
            servers=self._servers,
            group=self._unique,
            port=self._jvm.port,
            plugins=plugins,
            replication=self._replicas,
        )
        self._jvm.config.write_text(configuration)

    def _ask(self, path: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
        """What the worker answers; None if there is no answer yet."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.address + path, data, {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except HTTPError as error:
            said = error.read().decode(errors="replace")
            if error.code in _NOT_YET:
                return None
            raise ClusterError(f"Connect rejects {path}: {_cause(said)}") from None
        except (URLError, ConnectionError, TimeoutError):
            return None

    def _wait(self, met: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while not met():
            if self._jvm.pid is None:
                raise ClusterError(f"Connect has ended: {self._jvm.last_words()}")
            if time.monotonic() > deadline:
                raise ClusterError(f"Connect {what}: {self._jvm.last_words()}")
            time.sleep(0.2)


def _jars(part: str) -> Path:
    """The folder with the jars of the worker, a connector or the converter."""
    return fetched(f"connect-{part}-{version_in(POM, part)}", POM, part)


def _cause(trace: str) -> str:
    """The innermost cause of a Java exception."""
    causes = [line for line in trace.splitlines() if line.startswith("Caused by: ")]
    return causes[-1].removeprefix("Caused by: ") if causes else trace.partition("\n")[0]

"""The guide's table of rights, on a broker with access control: enough, and not one too many."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cluster import Cluster
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from network import HOST, free_ports

from builders import event_json
from churnstream.cli import cli
from documents import ROOT

USER = "part"
NEWEST = "telco.churn.newest"
UP_TO_DATE = 'class="state good"'
TABLE = re.compile(r"^\| Part \| Topics .*?\n\n", re.MULTILINE | re.DOTALL)
RIGHT = re.compile(r"([a-z ]+?)(?: of)? `([^`]+)`")
RESOURCES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
RESOURCES["transactional id"] = ResourceType.TRANSACTIONAL_ID
AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
FLAGS = {
    "produce --mode streaming": ("--max-events", "3"),
    "produce --mode batch": ("--no-resume",),
    "audit": ("--in-flight-ok",),
    "consume --mode batch --notify": ("http://127.0.0.1:9/",),  # where nobody listens
    "drift": ("--small-ok",),
    "init --topic telco.raw.customers": ("--force", "-o", "of-topic.yaml"),
    "export": ("-o", "-"),
    f"export --newest-topic {NEWEST}": ("-o", "-"),
    "dashboard": ("--port", "0"),
}


class Right(NamedTuple):
    """One right, as "read topic telco.raw.customers"; a name that ends in * is a beginning."""

    operation: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.operation} {self.kind} {self.name}"

    def binding(self) -> AclBinding:
        """The same in the client library's form."""
        is_prefix = self.name.endswith("*")
        return AclBinding(
            RESOURCES[self.kind],
            self.name.rstrip("*"),
            ResourcePatternType.PREFIXED if is_prefix else ResourcePatternType.LITERAL,
            f"User:{USER}",
            "*",
            AclOperation[self.operation.upper().replace(" ", "_")],
            AclPermissionType.ALLOW,
        )


def table() -> dict[str, list[Right]]:
    """By command, its rights as the guide has them."""
    found = TABLE.search((ROOT / "docs" / "kafka_guide.md").read_text())
    assert found
    rows = [line.strip("|").split("|") for line in found[0].splitlines()[2:] if line]
    return {
        command: [
            right
            for cell, kind in zip(cells, RESOURCES, strict=True)
            for right in rights(cell, kind)
        ]
        for parts, *cells in rows
        for command in re.findall(r"`([^`]+)`", parts)
    }


def rights(cell: str, kind: str) -> list[Right]:
    """The rights in a cell: "read and write `a`; describe `b`"."""
    return [
        Right(operation.strip(), kind, name)
        for operations, name in RIGHT.findall(re.sub(r"\(.*?\)|;", " ", cell))
        for operation in operations.split(" and ")
    ]


RIGHTS = table()


def is_optional(command: str, right: Right) -> bool:
    """Whether the command goes on without it: what a consumer notes for a later audit."""
    return command.startswith("consume") and right.name == "telco.producer.checkpoints"


LACKING = [
    (command, right)
    for command, its in RIGHTS.items()
    for right in its
    if not is_optional(command, right)
]


class Guarded:
    """A broker where one user has no rights but those that it is given."""

    def __init__(self, cluster: Cluster) -> None:
        (port,) = free_ports(1)
        file = cluster.folder / "node-1" / "server.properties"
        has = dict(line.partition("=")[::2] for line in file.read_text().splitlines())
        has["listeners"] += f",USERS://{HOST}:{port}"
        has["advertised.listeners"] = f"BROKER://{cluster.bootstrap_servers},USERS://{HOST}:{port}"
        has["listener.security.protocol.map"] += ",USERS:SASL_PLAINTEXT"
        has["listener.name.users.sasl.enabled.mechanisms"] = "PLAIN"
        has["listener.name.users.plain.sasl.jaas.config"] = f'{LOGIN} user_{USER}="s3cret";'
        has["authorizer.class.name"] = AUTHORIZER
        has["super.users"] = "User:ANONYMOUS"
        file.write_text("".join(f"{name}={value}\n" for name, value in has.items() if value))
        cluster.restart(1)
        self.open = cluster.bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": self.open})
        self._client = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": USER,
            "sasl.password": "s3cret",
        }
        self.address = f"{HOST}:{port}"

    def allow(self, allowed: list[Right]) -> None:
        """Give the user these rights, and no others."""
        any_name: Any = None
        everything = AclBindingFilter(
            ResourceType.ANY,
            any_name,
            ResourcePatternType.ANY,
            any_name,
            any_name,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        for answer in self._admin.delete_acls([everything]).values():
            answer.result()
        if allowed:
            for answer in self._admin.create_acls([right.binding() for right in allowed]).values():
                answer.result()

    def environment(self) -> dict[str, str]:
        """What makes a command that user's."""
        return {
            "PATH": str(Path(sys.executable).parent),
            "CHURNSTREAM_KAFKA__BROKERS": self.address,
            "CHURNSTREAM_KAFKA__CLIENT": json.dumps(self._client),
            "CHURNSTREAM_NOTIFY__DRAIN": "10",
        }


class Site(NamedTuple):
    """A folder with a model, beside a guarded broker with events and outcomes."""

    folder: Path
    guarded: Guarded

    def start(self, command: str) -> subprocess.Popen[str]:
        """Run a command as the user."""
        return subprocess.Popen(
            ["churnstream", *command.split(), *FLAGS.get(command, ())],
            cwd=self.folder,
            env=self.guarded.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str, seconds: float = 60) -> tuple[int, str]:
        """Run a command to its end; its exit code, and what it said."""
        process = self.start(command)
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            process.kill()
        return process.returncode, out + err

    def prepare(self, command: str) -> None:
        """See that a command has something to do: events to score, a dead letter to send back."""
        producer = Producer({"bootstrap.servers": self.guarded.open})
        producer.produce("telco.raw.customers", b"broken", b"broken")
        producer.produce("telco.raw.customers", event_json(), b"7590-VHVEG")
        assert producer.flush(30) == 0
        if command == "dead-letters replay":
            self.run_unguarded("consume --mode batch")

    def run_unguarded(self, command: str) -> None:
        """Run a command as somebody who may do everything."""
        own = self.guarded.environment() | {"CHURNSTREAM_KAFKA__BROKERS": self.guarded.open}
        del own["CHURNSTREAM_KAFKA__CLIENT"]
        words = ["churnstream", *command.split()]
        subprocess.run(words, cwd=self.folder, env=own, check=True, capture_output=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Events are scored already by somebody who may do everything."""
    with Cluster() as cluster:
        site = Site(tmp_path_factory.mktemp("site"), Guarded(cluster))
        with_newest = f"--newest-topic {NEWEST}"
        for command in (
            f"topics create --notified {with_newest}",
            "train",
            "produce --mode batch",
            f"consume --mode batch {with_newest}",
        ):
            site.run_unguarded(command)
        yield site


def page_of(process: subprocess.Popen[str]) -> str:
    """Where the live page is."""
    assert process.stdout
    found = re.search(r"http://[^/]+/", process.stdout.readline())
    assert found
    return found[0]


def page_says(address: str, expected: str, seconds: float = 20) -> str:
    """The live page, once it says what is expected, or as it is after so long."""
    deadline, shown = time.monotonic() + seconds, ""
    while expected not in shown and time.monotonic() < deadline:
        with urllib.request.urlopen(address, timeout=5) as answer:
            shown = answer.read().decode()
        time.sleep(0.3)
    return shown


def test_the_table_has_every_command_that_reaches_a_broker() -> None:
    """With its modes; those that it leaves out have no flag for a broker."""
    reach = {
        name
        for name, command in cli.commands.items()
        if any(parameter.name == "properties" for parameter in command.params)
    } | {"topics", "dead-letters"}

    assert {command.split()[0] for command in RIGHTS} == reach


def ended_well(site: Site, command: str) -> bool:
    """Whether a command does its work; one that goes on by itself is stopped."""
    site.prepare(command)
    process = site.start(command)
    try:
        if command == "dashboard":
            page_says(address := page_of(process), UP_TO_DATE)
            time.sleep(3)  # the group is looked at every two seconds
            shown = page_says(address, UP_TO_DATE)
            return "no right" not in shown and UP_TO_DATE in shown
        if command == "consume --mode streaming":
            time.sleep(6)
            process.terminate()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "no right" not in out + err, err[-600:]
        return True
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("command", RIGHTS)
def test_the_rights_of_the_table_are_enough(site: Site, command: str) -> None:
    """With these and no others, the command does its work."""
    site.guarded.allow(RIGHTS[command])

    assert ended_well(site, command)


def test_a_consumer_goes_on_without_the_optional_rights(site: Site) -> None:
    """It says what it could not note, and which right that takes."""
    command = "consume --mode batch"
    site.guarded.allow([right for right in RIGHTS[command] if not is_optional(command, right)])
    site.prepare(command)
    code, said = site.run(command)

    assert code == 0, said
    assert re.search("outcomes_not_noted .*no right to describe topic telco.producer", said)


@pytest.mark.parametrize(("command", "lacking"), LACKING, ids=str)
def test_a_right_that_is_missing_is_named(site: Site, command: str, lacking: Right) -> None:
    """In one line, soon, with the resource: every right of the table is needed."""
    site.guarded.allow([right for right in RIGHTS[command] if right != lacking])
    said = _said(site, command)

    named = lacking.name.rstrip("*")
    assert re.search(rf"no right to [^(]*\b{lacking.kind} {re.escape(named)}", said), said[-500:]
    assert "None" not in said
    assert "Traceback" not in said


def _said(site: Site, command: str) -> str:
    site.prepare(command)
    if command == "dashboard":
        process = site.start(command)
        try:
            return page_says(page_of(process), "no right to")
        finally:
            process.kill()
            process.communicate()
    code, said = site.run(command, 30)
    assert code == 1, said
    return said


@pytest.mark.parametrize("command", RIGHTS)
def test_without_any_right_the_first_is_named(site: Site, command: str) -> None:
    """It is no missing topic, and no broker that is down."""
    site.guarded.allow([])
    said = _said(site, command)

    assert "no right to" in said
    assert "is the broker up?" not in said
    assert "topics create" not in said or command == "topics create"

"""Topics and a group of their own, and the commands that work on them."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import msgspec

from chaos.customers import Customers, customers_of
from chaos.processes import Process
from chaos.watch import Answer, Event, Position, Watch, until

_LINES = 15  # of each process, where something went wrong
# A member that was killed is missed after this time, and its partitions go to others.
SESSION = ("-X", "session.timeout.ms=6000")


class Verdict(msgspec.Struct):
    """What `churnstream audit --json` said, as far as it matters here."""

    exactly_once: bool
    complete: bool
    events: int
    lost: int
    duplicated: int
    orphaned: int
    in_flight: int
    foreign: int


class _Prediction(msgspec.Struct):
    source_partition: int
    source_offset: int


class Flow:
    """Runs commands on three topics and a group of its own; kills what still runs at its end.

    Args:
        servers: What clients connect to.
        name: Prefix of topics and group.
        folder: For what the processes write.
        model: Folder of a trained model.
        copies: Replicas of each partition.
        customers: Those that the model was trained on; None: the bundled ones.

    Attributes:
        environment: Variables that each process is started with.
    """

    def __init__(
        self,
        servers: str,
        name: str,
        *,
        folder: Path,
        model: Path,
        copies: int = 1,
        customers: Customers | None = None,
    ) -> None:
        self.servers, self.group = servers, name
        self.input, self.output, self.dead_letters = f"{name}.in", f"{name}.out", f"{name}.dead"
        self.folder = folder
        self.watch = Watch(servers)
        self.model = model
        self.customers = customers or customers_of()
        self.environment = {
            "CHURNSTREAM_TOPICS__REPLICATION_FACTOR": str(copies),
            "CHURNSTREAM_TOPICS__NOTIFIED": f"{name}.notified",
            **_told(self.customers),
        }
        self._numbers = itertools.count()
        self._processes: list[Process] = []

    def __enter__(self) -> Flow:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._rows = self.customers.write(self.folder / "rows.csv")
        self.run("topics", "create")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.tell_last_lines()
        for process in self._processes:
            process.kill()

    def by_way_of(self, servers: str) -> Flow:
        """The same flow, whose commands reach the broker at another address."""
        folder, customers = self.folder / "far", self.customers
        return Flow(servers, self.group, folder=folder, model=self.model, customers=customers)

    def tell_last_lines(self) -> None:
        """Repeat the end of what each process said, where something went wrong."""
        for process in self._processes:
            last = process.log.splitlines()[-_LINES:]
            sys.stderr.write("".join(f"{process.name}: {line}\n" for line in last))

    def start(self, *arguments: str) -> Process:
        """Start a command on these topics."""
        command = [*arguments, "--broker", self.servers, "--group", self.group]
        command += ["--input-topic", self.input, "--output-topic", self.output]
        command += ["--deadletter-topic", self.dead_letters]
        name = f"{next(self._numbers):03d}-{arguments[0]}"
        process = Process(self.folder, name, *command, environment=self.environment)
        self._processes.append(process)
        return process

    def run(self, *arguments: str, code: int = 0, seconds: float = 120) -> Process:
        """Run a command on these topics to its end, which must be of this kind."""
        process = self.start(*arguments)
        ended = process.wait(seconds)
        assert ended == code, f"{' '.join(arguments)}: exit code {ended}: {process.last_words}"
        return process

    def consume(self, instance: int = 0, *arguments: str) -> Process:
        """Start a consumer; `arguments` come after the usual ones and win."""
        own = ["--model", str(self.model), "--instance", str(instance)]
        return self.start("consume", *own, *arguments)

    def run_batch(self, *arguments: str) -> Process:
        """Score all that is there."""
        return self.run("consume", "--mode", "batch", "--model", str(self.model), *arguments)

    def produce(self, rate: float, *arguments: str) -> Process:
        """Start a producer of random customers."""
        own = ["--mode", "streaming", "--events-per-sec", str(rate), "--dataset", str(self._rows)]
        return self.start("produce", *own, *arguments)

    def produce_file(self, path: Path, *arguments: str) -> Process:
        """Start a producer of a whole file, with many small transactions."""
        own = ["--mode", "batch", "--dataset", str(path), "--batch-size", "50"]
        return self.start("produce", *own, *arguments)

    def wait_owned(self, members: int, seconds: float = 60) -> None:
        """Wait until the group has so many members and each of them has partitions."""

        def owned() -> bool:
            owners = self.watch.owners(self.group)
            return len(owners) == members and all(owners) and sum(owners) == partitions

        partitions = len(self.watch.partitions(self.input))
        until(owned, seconds, f"{members} members with partitions in group {self.group}")

    @property
    def is_scored(self) -> bool:
        """Whether the group has read everything there is."""
        return self.watch.lag(self.group, self.input) == 0

    def audit(self, *arguments: str) -> Verdict:
        """What the audit says, whatever that is."""
        process = self.start("audit", "--json", *arguments)
        process.wait(120)
        return msgspec.json.decode(process.output, type=Verdict)

    def events(self) -> list[Event]:
        """Every record of the input topic."""
        return [
            Event(Position(r.partition() or 0, r.offset() or 0), r.timestamp()[1], r.key())
            for r in self.watch.read(self.input)
        ]

    def answers(self) -> list[Answer]:
        """Every prediction."""
        decode = msgspec.json.Decoder(_Prediction).decode
        records = [(r.value() or b"", r.timestamp()[1]) for r in self.watch.read(self.output)]
        sources = [decode(value) for value, _ in records]
        return [
            Answer(Position(source.source_partition, source.source_offset), timestamp)
            for source, (_, timestamp) in zip(sources, records, strict=True)
        ]

    def rejected(self) -> list[Position]:
        """The position of each dead letter's original, as its headers have it."""
        headers = [dict(record.headers() or []) for record in self.watch.read(self.dead_letters)]
        names = ("__connect.errors.partition", "__connect.errors.offset")
        return [Position(*(int(header[name] or 0) for name in names)) for header in headers]


def train(folder: Path, customers: Customers | None = None) -> Path:
    """Train the model that every consumer scores with, and return its folder."""
    model = folder / "model"
    environment = _told(customers or customers_of())
    process = Process(folder, "train", "train", "--model", str(model), environment=environment)
    try:
        assert process.wait(300) == 0, process.last_words
    finally:
        process.kill()
    return model


def _told(customers: Customers) -> dict[str, str]:
    return {"CHURNSTREAM_CUSTOMERS__SCHEMA_FILE": str(customers.schema_file)}

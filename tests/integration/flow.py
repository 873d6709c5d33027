"""A test's own topics on the embedded broker, and what tests do with them.

Records are written and read with the client library alone, so that what is checked here does not
rest on what is being checked.
"""

import contextlib
import io
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self
from unittest import mock

import msgspec
import pyarrow as pa
import pytest
import structlog
import yaml
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from pyarrow import csv

from builders import Prediction, decode_prediction, telco_rows
from churnstream.analysis.summary import Summary
from churnstream.cli import main
from churnstream.kafka.admin import Admin
from churnstream.pipeline import topic_layout
from churnstream.settings import Settings
from churnstream.settings_sources import load

SCALE_VARIABLE = "CHURNSTREAM_TEST_SCALE"
SCALE = int(os.environ.get(SCALE_VARIABLE, "1"))

# The embedded broker takes half of this to let a member join, and all of it to miss a dead one.
QUICK_SESSION = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 300}

PARTITIONS = (0, 1, 2)
Position = tuple[int, int]
Headers = Sequence[tuple[str, bytes | None]]


class Sent(NamedTuple):
    """A record to send.

    Attributes:
        partition: None leaves it to the key.
        timestamp: Milliseconds since 1970; 0 for now.
    """

    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Headers = ()
    timestamp: int = 0

    @classmethod
    def again(cls, message: Message) -> "Sent":
        """The record once more, with its headers."""
        return cls(message.value(), message.key(), headers=raw_headers(message))


class Ran(NamedTuple):
    """What a command that ran in this process left."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """What is wrong: the last line on stderr, after logs at most."""
        return error_in(self.err)


@contextlib.contextmanager
def _process_kept() -> Iterator[None]:
    """Take back what a command sets for the whole process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root = logging.getLogger()
    logs, level = list(root.handlers), root.level
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        root.handlers[:] = logs
        root.setLevel(level)
        structlog.reset_defaults()


def churnstream(*arguments: object) -> Ran:
    """Run the command in this process, as the shell would."""
    out, err = io.StringIO(), io.StringIO()
    with (
        _process_kept(),
        mock.patch.object(sys, "argv", ["churnstream", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main()
    assert isinstance(left.value.code, int)
    return Ran(left.value.code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Flow:
    """Topics, a group and files that no other test uses.

    Attributes:
        folder: For files of the test.
        config: What `--config` gets.
        settings: What `config` says.
    """

    folder: Path
    config: Path
    settings: Settings

    @classmethod
    def create(cls, folder: Path, name: str, broker: str, model: Path) -> "Flow":
        """Write the configuration, and create the topics.

        Args:
            name: Begins the names of topics and group.
        """
        config = folder / "config.yaml"
        names = ("input", "output", "deadletter", "checkpoint")
        sections = {
            "kafka": {"brokers": broker, "client": dict(QUICK_SESSION)},
            "topics": {topic: f"{name}.{topic}" for topic in names},
            "consumer": {"group": name},
            "model": {"path": str(model)},
            "summary": {"path": str(folder / "summary.json")},
            "producer": {"checkpoint_file": str(folder / "checkpoint.json")},
        }
        config.write_text(yaml.safe_dump(sections))
        settings = load(config)
        topic_layout.create(Admin(settings.kafka), settings)
        return cls(folder, config, settings)

    def run(self, command: str, *flags: object) -> Ran:
        """Run a command on this flow in this process."""
        return churnstream(*command.split(), "--config", self.config, *flags)

    def consume(self, *flags: object) -> Summary:
        """Score a bounded window in this process; its summary."""
        ran = self.run("consume --mode batch", *flags)
        assert ran.code == 0, ran.err
        return self.summary()

    def summary(self) -> Summary:
        """The summary that was written last."""
        return msgspec.json.decode(self.settings.summary.path.read_bytes(), type=Summary)

    def process(self, command: str, *flags: object) -> "Process":
        """Run a command on this flow as a process."""
        return Process(self.folder, *command.split(), "--config", self.config, *flags)

    def send(self, records: Sequence[Sent], topic: str | None = None) -> list[Position]:
        """Write records to a topic, the input topic if none is named; where each of them is."""
        producer = Producer({"bootstrap.servers": self.settings.kafka.brokers})
        positions: dict[int, Position] = {}

        def note(number: int) -> Callable[[KafkaError | None, Message], None]:
            def delivered(error: KafkaError | None, message: Message) -> None:
                assert error is None, error
                positions[number] = position_of(message)

            return delivered

        for number, record in enumerate(records):
            producer.produce(
                topic or self.settings.topics.input,
                record.value,
                record.key,
                -1 if record.partition is None else record.partition,
                on_delivery=note(number),
                timestamp=record.timestamp,
                headers=list(record.headers),
            )
            producer.poll(0)
        assert producer.flush(30) == 0
        return [positions[number] for number in range(len(records))]

    def read(self, topic: str) -> list[Message]:
        """Every record of a topic, in offset order within each partition."""
        with Tail(self.settings.kafka.brokers, topic) as tail:
            return tail.to_the_end()

    def events(self) -> list[Message]:
        """Every record of the input topic."""
        return self.read(self.settings.topics.input)

    def predictions(self) -> list[Prediction]:
        """Every prediction."""
        return [decode_prediction(value_of(m)) for m in self.read(self.settings.topics.output)]

    def dead_letters(self) -> list[Message]:
        """Every dead letter."""
        return self.read(self.settings.topics.deadletter)

    def outcomes(self) -> Counter[Position]:
        """How many outcomes each position of the input topic has."""
        positions = [(p.source_partition, p.source_offset) for p in self.predictions()]
        return Counter(positions + [source_of(dead_letter) for dead_letter in self.dead_letters()])


NewFlow = Callable[[str], Flow]
"""Makes a flow of a name: the fixture `new_flow`."""


class Tail:
    """Reads a topic from its beginning, on and on."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.records: list[Message] = []
        properties: dict[str, str | int | bool] = {
            "bootstrap.servers": brokers,
            "group.id": "tail",  # required by the client, never joined
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
        }
        self._reader = Consumer(properties)
        self._open = set(self._reader.list_topics(topic, timeout=10).topics[topic].partitions)
        self._reader.assign([TopicPartition(topic, p, 0) for p in self._open])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def to_the_end(self, seconds: float = 30) -> list[Message]:
        """All records up to the end of each partition."""
        deadline = time.monotonic() + scaled_timeout(seconds)
        while self._open:
            assert time.monotonic() < deadline, f"{len(self.records)} records, and no end"
            self._take()
        return self.records

    def wait_for(self, count: int, seconds: float = 60) -> None:
        """Come back as soon as the topic holds so many records."""
        deadline = time.monotonic() + scaled_timeout(seconds)
        while len(self.records) < count:
            assert time.monotonic() < deadline, f"{len(self.records)} records of {count}"
            self._take()

    def _take(self) -> None:
        first = self._reader.poll(0.1)
        for message in [] if first is None else [first, *self._reader.consume(5_000, 0)]:
            error = message.error()
            if error is None:
                self.records.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                self._open.discard(message.partition() or 0)


class Process:
    """The `churnstream` command as a process of its own, which ends with the with-block."""

    _count = 0

    def __init__(self, folder: Path, *arguments: object) -> None:
        Process._count += 1
        self._out = folder / f"{Process._count}.out"
        self._err = folder / f"{Process._count}.err"
        program = Path(sys.executable).with_name("churnstream")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.popen = subprocess.Popen(
                [program, *map(str, arguments)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()

    @property
    def out(self) -> str:
        """What it wrote to stdout so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it wrote to stderr so far."""
        return self._err.read_text()

    def says(self, text: str) -> bool:
        """Whether it has written `text`; fails if it ended without."""
        ended = self.popen.poll() is not None
        found = text in self.out or text in self.err
        assert found or not ended, f"ended without {text!r}: {self.out} {self.err}"
        return found

    def wait(self, seconds: float = 60) -> int:
        """Wait for its end; its exit code."""
        return self.popen.wait(scaled_timeout(seconds))


def error_in(err: str) -> str:
    """The error that a command ended with: its last line on stderr, and the only one."""
    (line,) = [line for line in err.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)]
    assert line.startswith("Error: ")
    assert err.endswith(line + "\n")
    return line.removeprefix("Error: ")


def scaled_timeout(seconds: float) -> float:
    """The time that something may take here: more if others keep the processors busy."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(met: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + scaled_timeout(seconds)
    while not met():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def value_of(message: Message) -> bytes:
    """The value of a record that has one."""
    value = message.value()
    assert value is not None
    return value


def position_of(message: Message) -> Position:
    """Partition and offset of a record."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def raw_headers(message: Message) -> list[tuple[str, bytes | None]]:
    """The headers of a record in their order, values as bytes."""
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return [(name, v.encode() if isinstance(v, str) else v) for name, v in pairs]


def headers_of(message: Message) -> dict[str, str]:
    """The headers of a dead letter as text."""
    return {name: (value or b"").decode(errors="replace") for name, value in raw_headers(message)}


def source_of(dead_letter: Message) -> Position:
    """The position of a dead letter's original in the input topic."""
    headers = headers_of(dead_letter)
    return int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])


def write_customers(path: Path, count: int) -> None:
    """Write a CSV of `count` customers: the bundled ones over and over, each with a new ID."""
    rows = next(telco_rows().batches(10_000))
    with csv.CSVWriter(path, rows.schema) as writer:
        for batch in renamed(rows, count):
            writer.write_batch(batch)


def renamed(rows: pa.RecordBatch, count: int) -> Iterator[pa.RecordBatch]:
    """`count` rows: these over and over, each with a new ID."""
    at = rows.schema.get_field_index("customerID")
    for first in range(0, count, rows.num_rows):
        batch = rows.slice(0, min(rows.num_rows, count - first))
        names = pa.array([customer_id(first + i) for i in range(batch.num_rows)])
        yield batch.set_column(at, "customerID", names)


def customer_id(number: int) -> str:
    """The ID of a row of `write_customers`, counted from 0."""
    return f"{number:08d}-TESTS"

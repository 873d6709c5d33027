"""What goes in: a file of customers with broken rows, and broken records between good events."""

from __future__ import annotations

import csv
import gzip
import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from builders import TELCO, telco_rows
from chaos.watch import Position
from churnstream.codecs.customer_rows import BUNDLED
from churnstream.codecs.event_encoder import encode_events
from churnstream.testing.broken_records import broken_records

_BROKEN_CELLS = [
    ("Contract", "Weekly"),
    ("tenure", "-1"),
    ("MonthlyCharges", "a lot"),
    ("InternetService", ""),
]


class CustomersFile(NamedTuple):
    """A file of customers.

    Attributes:
        keys: The `customerID` of every row, all different.
        broken: Those of the rows that must become dead letters.
    """

    path: Path
    keys: list[bytes]
    broken: set[bytes]


def customers_file(path: Path, rows: int, random: Random) -> CustomersFile:
    """Write the bundled customers over and over, each with an ID of its own, 1 % of them broken."""
    broken = set(random.sample(range(rows), rows // 100))
    keys = []
    with gzip.open(BUNDLED, "rt", newline="") as source, path.open("w", newline="") as target:
        bundled = list(csv.DictReader(source))
        writer = csv.DictWriter(target, bundled[0].keys())
        writer.writeheader()
        for number, row in enumerate(itertools.islice(itertools.cycle(bundled), rows)):
            changes = dict([random.choice(_BROKEN_CELLS)]) if number in broken else {}
            customer_id = f"{number:07d}-CHAOS"
            writer.writerow(row | changes | {"customerID": customer_id})
            keys.append(customer_id.encode())
    return CustomersFile(path, keys, {keys[number] for number in broken})


def good_event() -> dict[str, Any]:
    """The first bundled customer as an event."""
    row = next(telco_rows().batches(1))
    (value,) = encode_events(row, TELCO, datetime.now(UTC)).values
    event: dict[str, Any] = msgspec.json.decode(value)
    return event


def good_records(count: int) -> list[tuple[bytes, bytes]]:
    """Keys and values of events that can be scored, each with an ID of its own."""
    event = good_event()
    names = [f"{number:04d}-GOOD" for number in range(count)]
    return [(name.encode(), msgspec.json.encode(event | {"customerID": name})) for name in names]


class BrokenRecords:
    """Sends broken records at a steady pace in the background, and notes where they went.

    Args:
        servers: What clients connect to.
        topic: Where they are sent.
        every: Seconds from one to the next.
        most: Ends after so many; None goes on until `finish`.
    """

    def __init__(
        self, servers: str, topic: str, random: Random, *, every: float, most: int | None = None
    ) -> None:
        self._topic, self._every, self._most = topic, every, most
        self._first = random.randrange(100)
        self._positions: list[Position] = []
        self._failures: list[str] = []
        self._stop = threading.Event()
        self._producer = Producer(
            {"bootstrap.servers": servers, "enable.idempotence": True, "log_level": 0}
        )
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> BrokenRecords:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def finish(self) -> list[Position]:
        """End it, or wait for its end if that is known; where each record stands."""
        if self._most is None:
            self._stop.set()
        self._thread.join()
        assert not self._failures, self._failures[0]
        return self._positions

    def _send(self) -> None:
        for key, value in itertools.islice(self._kinds(), self._most):
            if self._stop.wait(self._every):
                break
            self._producer.produce(self._topic, value, key, on_delivery=self._note)
            self._producer.poll(0)
        self._producer.flush(120)

    def _kinds(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        kinds = [(kind.key, kind.value) for kind in broken_records(TELCO, good_event())]
        first = self._first % len(kinds)
        return itertools.cycle(kinds[first:] + kinds[:first])

    def _note(self, error: KafkaError | None, record: Message) -> None:
        if error is not None:
            self._failures.append(error.str())
        else:
            self._positions.append(Position(record.partition() or 0, record.offset() or 0))

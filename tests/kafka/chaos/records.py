"""What goes in: a file of customers with broken rows, and broken records between good events."""

from __future__ import annotations

import csv
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from chaos.customers import Customers, customers_of
from chaos.flow import Flow
from chaos.watch import Position
from churnstream.testing.broken_records import broken_records


class CustomersFile(NamedTuple):
    """A file of customers.

    Attributes:
        keys: The ID of every row, all different.
        broken: Those of the rows that must become dead letters.
    """

    path: Path
    keys: list[bytes]
    broken: set[bytes]


def customers_file(
    path: Path, rows: int, random: Random, customers: Customers | None = None
) -> CustomersFile:
    """Write customers over and over, each with an ID of its own, 1 % of them broken."""
    whose = customers or customers_of()
    broken = set(random.sample(range(rows), rows // 100))
    keys = []
    with path.open("w", newline="") as target:
        writer = csv.DictWriter(target, whose.rows[0].keys())
        writer.writeheader()
        for number, row in enumerate(itertools.islice(itertools.cycle(whose.rows), rows)):
            changes = dict([random.choice(whose.broken_cells)]) if number in broken else {}
            customer_id = f"{number:07d}-CHAOS"
            writer.writerow(row | changes | {whose.schema.id: customer_id})
            keys.append(customer_id.encode())
    return CustomersFile(path, keys, {keys[number] for number in broken})


def good_records(count: int) -> list[tuple[bytes, bytes]]:
    """Keys and values of events that can be scored, each with an ID of its own."""
    whose = customers_of()
    event, own = whose.good_event, whose.schema.id
    names = [f"{number:04d}-GOOD" for number in range(count)]
    return [(name.encode(), msgspec.json.encode(event | {own: name})) for name in names]


class BrokenRecords:
    """Sends broken records at a steady pace in the background, and notes where they went.

    Args:
        flow: Whose customers are broken, and where they are sent.
        every: Seconds from one to the next.
        most: Ends after so many; None goes on until `finish`.
    """

    def __init__(
        self, flow: Flow, random: Random, *, every: float, most: int | None = None
    ) -> None:
        self._topic, self._customers = flow.input, flow.customers
        self._every, self._most = every, most
        self._first = random.randrange(100)
        self._positions: list[Position] = []
        self._failures: list[str] = []
        self._stop = threading.Event()
        self._producer = Producer(
            {"bootstrap.servers": flow.servers, "enable.idempotence": True, "log_level": 0}
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
        whose = self._customers
        kinds = [(kind.key, kind.value) for kind in broken_records(whose.schema, whose.good_event)]
        first = self._first % len(kinds)
        return itertools.cycle(kinds[first:] + kinds[:first])

    def _note(self, error: KafkaError | None, record: Message) -> None:
        if error is not None:
            self._failures.append(error.str())
        else:
            self._positions.append(Position(record.partition() or 0, record.offset() or 0))

"""Whose events pass in a scenario: the bundled customers, or those of any schema."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from churnstream.codecs.customer_rows import CustomerRows, open_rows
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.event_encoder import decode_rows, encode_events
from churnstream.records.rejection import Rejection
from churnstream.schema import schema_file
from churnstream.schema.fields import Category, Numeric
from churnstream.schema.schema import Schema

_ROWS = 10_000


class Customers(NamedTuple):
    """Customers of one schema.

    Attributes:
        schema_file: What commands are told of them.
        rows: As texts, by column; each of them can be scored.
    """

    schema_file: Path
    schema: Schema
    rows: list[dict[str, str | None]]

    @property
    def good_event(self) -> dict[str, Any]:
        """The first of them as an event."""
        row = pa.RecordBatch.from_pylist(self.rows[:1], _texts(self.rows[0]))
        (value,) = encode_events(row, self.schema, datetime.now(UTC)).values
        event: dict[str, Any] = msgspec.json.decode(value)
        return event

    def write(self, path: Path) -> Path:
        """Write them into a CSV file; its path."""
        with path.open("w", newline="") as target:
            writer = csv.DictWriter(target, self.rows[0].keys())
            writer.writeheader()
            writer.writerows(self.rows)
        return path

    @property
    def broken_cells(self) -> list[tuple[str, str]]:
        """Cells, each by its column, that make a dead letter of a row."""
        cells = []
        for name, field in self.schema.fields.items():
            if isinstance(field, Numeric):
                cells += [(name, "a lot"), *[(name, "-1")] * (field.min == 0)]
            elif isinstance(field, Category) and field.values and field.unknown == "reject":
                cells.append((name, "no such one"))
            if not field.may_be_missing:
                cells.append((name, ""))
        return cells


@cache
def customers_of(path: Path = schema_file.TELCO_FILE) -> Customers:
    """The customers of a schema file, from the file that it was made from."""
    schema = schema_file.read(path)
    origin = schema.file
    rows = (
        open_rows(path.parent / origin.path, schema, origin.form)
        if origin and origin.path
        else open_rows(None, schema)
    )
    return Customers(path.resolve(), schema, _good(rows))


def _good(rows: CustomerRows) -> list[dict[str, str | None]]:
    decode, now = EventDecoder(rows.schema), datetime.now(UTC)
    good: list[dict[str, str | None]] = []
    for batch in rows.batches(_ROWS):
        events = decode_rows(batch, rows.schema, now, decode)
        pairs = zip(batch.to_pylist(), events, strict=True)
        good += [row for row, event in pairs if not isinstance(event, Rejection)]
    return good


def _texts(row: dict[str, str | None]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in row])

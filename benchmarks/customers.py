"""Customers of made-up schemas, and a model for them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.event_encoder import EncodedEvents, decode_rows, encode_events
from churnstream.model.kinds import Kind
from churnstream.model.manifest import save
from churnstream.model.train import train
from churnstream.records.rejection import Rejection
from churnstream.schema.fields import AnyField, Boolean, Category, Date, Integer, Number
from churnstream.schema.schema import Label, Schema

_ROWS = 7_000
_SEED = 3
_PLANS = ("Basic", "Gold", "Premium", "Silver")
_FIRST_DAY = date(2019, 1, 1)
_DAYS = 2_000
_LEAVING = 2.2  # log-odds below even: about a quarter leaves


def numbers_alone(fields: int) -> Schema:
    """A schema of amounts and counts."""
    kinds: list[AnyField] = [Integer(min=0), Number(min=0.0)]
    return _schema("numbers", {f"amount_{i}": kinds[i % 2] for i in range(fields)})


def mixed(fields: int) -> Schema:
    """A schema of every type of field in turn."""
    yes_or_no = Category(values=("No", "Yes"))
    plan = Category(values=_PLANS)
    kinds: list[AnyField] = [
        *(Number(min=0.0), Integer(min=0), Boolean()),
        *(plan, yes_or_no, Date()),
    ]
    return _schema("mixed", {f"column_{i}": kinds[i % len(kinds)] for i in range(fields)})


def _schema(name: str, fields: dict[str, AnyField]) -> Schema:
    return Schema(name=name, id="customer", fields=fields, label=Label("left", "1", "0"))


def rows_of(schema: Schema) -> pa.RecordBatch:
    """Customers of a schema, a quarter of whom have left, as their fields say."""
    random = np.random.default_rng(_SEED)
    columns = {schema.id: [f"C{row:06}" for row in range(_ROWS)]}
    signal = np.zeros(_ROWS)
    for number, (name, field) in enumerate(schema.fields.items()):
        columns[name], values = _column(field, random)
        signal += (number % 3 - 1) * (values - values.mean()) / values.std()
    odds = 3 * signal / signal.std() - _LEAVING
    left = random.random(_ROWS) < 1 / (1 + np.exp(-odds))
    assert schema.label is not None
    columns[schema.label.field] = left.astype(int).astype(str).tolist()
    return pa.RecordBatch.from_pydict(columns)


def _column(field: AnyField, random: np.random.Generator) -> tuple[list[str], Any]:
    """The texts of a field, and numbers that go with them, (n,)."""
    values: Any
    match field:
        case Number():
            values = random.gamma(2, 40, _ROWS).round(2)
            return list(map(repr, values.tolist())), values
        case Integer():
            values = random.integers(0, 100, _ROWS)
            return list(map(str, values.tolist())), values
        case Date():
            values = random.integers(0, _DAYS, _ROWS)
            days = (_FIRST_DAY + timedelta(days=n) for n in values.tolist())
            return [day.isoformat() for day in days], values
        case _:
            known = getattr(field, "values", None) or ("0", "1")
            values = random.integers(0, len(known), _ROWS)
            return [known[n] for n in values.tolist()], values


def train_on(schema: Schema, rows: pa.RecordBatch, folder: Path, kind: Kind) -> Path:
    """Train a model of one kind; its folder."""
    events = decode_rows(rows, schema, datetime.now(UTC), EventDecoder(schema))
    good = [event for event in events if not isinstance(event, Rejection)]
    save(train(schema, good, threshold="f1", kinds=(kind,)), folder)
    return folder


def events_of(schema: Schema, rows: pa.RecordBatch) -> EncodedEvents:
    """The rows as events of now."""
    return encode_events(rows, schema, datetime.now(UTC))

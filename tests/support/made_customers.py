"""Hypothesis makes customers of any schema, and labels that some of their fields tell."""

from datetime import UTC, date, datetime
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
from hypothesis import strategies as st

from churnstream.model.features import completed
from churnstream.schema.fields import AnyField, Boolean, Category, Date, Integer, Number, written
from churnstream.schema.record_types import Event, event_type
from churnstream.schema.schema import Label, Schema
from made_schemas import schemas

NOW = datetime(2026, 1, 31, tzinfo=UTC)
TAIL = [f"tail {n}" for n in range(30)]


@st.composite
def customers(draw: st.DrawFn, rows: int = 60) -> tuple[Schema, list[Event]]:
    """A schema with a label, and rows of customers; a few customers have several."""
    made = draw(schemas())
    name = made.label.field if made.label else "who has left"
    schema = msgspec.structs.replace(made, label=Label(name, "gone", "here"), file=None)
    seed = draw(st.integers(0, 2**32 - 1))
    return schema, events_of(schema, rows, np.random.default_rng(seed))


def events_of(schema: Schema, rows: int, random: np.random.Generator) -> list[Event]:
    """Customers of any values; those of one half of a value leave more often."""
    assert schema.label is not None
    columns = {name: column_of(field, rows, random) for name, field in schema.fields.items()}
    first = next(iter(columns.values()))
    halves = np.array([crc32(repr(value).encode()) % 2 for value in first])
    left = random.random(rows) < np.where(halves == 0, 0.7, 0.3)
    left[: rows // 3] = np.arange(rows // 3) % 2 == 0  # enough of both, whatever is drawn
    columns[schema.id] = [f"C{min(n, rows - 5)}" for n in range(rows)]
    columns[schema.label.field] = ["gone" if one else "here" for one in left.tolist()]
    kind: Any = event_type(schema, closed=False)
    names = schema.attributes
    rows_of = zip(*columns.values(), strict=True)
    return [
        kind(event_ts=NOW, **dict(zip(map(names.__getitem__, columns), row, strict=True)))
        for row in rows_of
    ]


def column_of(field: AnyField, rows: int, random: np.random.Generator) -> list[Any]:
    """Values that may stand in a field, some of them missing where they may be."""
    pool = pool_of(field, random)
    found = [pool[n] for n in random.integers(0, len(pool), rows)]
    gaps = random.random(rows) < random.choice([0.0, 0.2])
    if field.may_be_missing:
        return [None if gap else value for value, gap in zip(found, gaps, strict=True)]
    return found


def pool_of(field: AnyField, random: np.random.Generator) -> list[Any]:
    """Values of a field, its extremes among them."""
    match field:
        case Integer():
            inside = [
                min(max(n, field.min), field.max) for n in random.integers(-9, 99, 20).tolist()
            ]
            return [field.min, field.max, *inside]
        case Number():
            drawn = (random.standard_t(1, 50) * 100).tolist()
            return [field.min, field.max, *[min(max(x, field.min), field.max) for x in drawn]]
        case Category():
            return list(field.values or TAIL)
        case Boolean():
            return list(written(field))
        case Date():
            return [date.min, date.max, *[date.fromordinal(n) for n in range(738_000, 739_000, 9)]]


def unseen_of(schema: Schema, events: list[Event], random: np.random.Generator) -> list[Event]:
    """Other customers whose values the schema lets in, also those that training did not see."""
    others = events_of(schema, 40, random)
    known = completed(schema, events)
    for name, field in known.fields.items():
        if isinstance(field, Category) and field.unknown == "other":
            odd = ["never seen", "", "x" * 1000]
            others = [
                msgspec.structs.replace(event, **{schema.attributes[name]: str(random.choice(odd))})
                if random.random() < 0.3
                else event
                for event in others
            ]
        elif isinstance(field, Category):
            get, values = schema.getter(name), field.values or ()
            others = [event for event in others if get(event) is None or get(event) in values]
    return others

"""Customers in segments: by the values of a category, or by bands of a number."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np

from churnstream.schema.fields import LARGEST_INTEGER, AnyField, Boolean, Integer, Value, written
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema, Segment
from churnstream.schema.values import plain

MISSING = "missing"
OTHER = "other"
_FLAGS = {None: MISSING, 0: "no", 1: "yes"}  # true and false are found, too


def segment_reader(schema: Schema, segment: Segment) -> Callable[[Sequence[Event]], list[str]]:
    """Takes events; the name of the segment of each."""
    get = schema.getter(segment.field)
    if _is_bare_flag(schema.fields[segment.field]):
        return lambda events: [_FLAGS[value] for value in map(get, events)]
    if not segment.edges:
        return lambda events: [plain(value) or MISSING for value in map(get, events)]
    names = np.array([*band_names(schema, segment), MISSING], dtype=object)

    def bands(events: Sequence[Event]) -> list[str]:
        values = np.array(list(map(get, events)), dtype=np.float64)  # None becomes NaN
        numbers = np.searchsorted(segment.edges, values)
        numbers[np.isnan(values)] = len(names) - 1
        found: list[str] = names[numbers].tolist()
        return found

    return bands


def band_names(schema: Schema, segment: Segment) -> list[str]:
    """What the bands of a numeric segment are called, from low to high."""
    field, edges = schema.fields[segment.field], segment.edges
    ends = [f"{edge:.12g}" for edge in edges]
    if isinstance(field, Integer):
        known = field.min > -LARGEST_INTEGER - 1
        first = f"{field.min}-{ends[0]}" if known else f"to {ends[0]}"
        between = [f"{low + 1:.12g}-{high:.12g}" for low, high in pairwise(edges)]
    else:
        first = f"to {ends[0]}"
        between = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [first, *between, f"over {ends[-1]}"]


def in_order(schema: Schema, segment: Segment, names: Iterable[str]) -> list[str]:
    """Names of segments as people look for them: bands from low to high, the rest by name."""
    bands = band_names(schema, segment) if segment.edges else []
    last = {OTHER: 1, MISSING: 2}

    def rank(name: str) -> tuple[int, int, str]:
        return last.get(name, 0), bands.index(name) if name in bands else len(bands), name

    return sorted(names, key=rank)


def text_of(field: AnyField, value: Value) -> str:
    """A value for people to read, as `segment_reader` names it where the field has no bands."""
    if _is_bare_flag(field) and not isinstance(value, str):
        return "yes" if value else "no" if value is not None else MISSING
    return plain(value) or MISSING


def _is_bare_flag(field: AnyField) -> bool:
    """Whether yes and no are written as something that does not say so: 1 and 0, say."""
    return isinstance(field, Boolean) and not isinstance(written(field)[0], str)


def title_of(segment: Segment) -> str:
    """What a segment is called, beginning with a capital letter."""
    title = segment.title or words_of(segment.field)
    return title[:1].upper() + title[1:]


def words_of(name: str) -> str:
    """A field's name as words: `AccountBalance` and `account_balance` are account balance."""
    parts: list[str] = []
    for part in name.replace("_", " ").replace("-", " ").replace(".", " ").split():
        parts += _camel_case(part)
    return " ".join(p if p.isupper() and len(p) > 1 else p.lower() for p in parts) or name


def _camel_case(text: str) -> list[str]:
    words = [text[:1]]
    for before, here in pairwise(text):
        if here.isupper() and not before.isupper():
            words.append(here)
        else:
            words[-1] += here
    return words

"""From events to the columns that a model reads."""

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.model.feature_table import FeatureTable, Texts
from churnstream.schema.fields import Boolean, Category, Date, MissingRule, written
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain

if TYPE_CHECKING:
    import pandas as pd

# Trees of scikit-learn compute in single precision and refuse what overflows it. Any amount up
# here is nonsense, but it is a number, and no input may stop the consumer.
_LARGEST = 3.4e38


def completed(schema: Schema, events: Sequence[Event]) -> Schema:
    """The schema with the values of each category that does not list them: those that occur.

    A category outside of them is rejected where the schema says so, never a silent zero.
    """
    fields = {
        name: msgspec.structs.replace(field, values=tuple(sorted(_distinct(schema, events, name))))
        if isinstance(field, Category) and field.values is None and field.unknown == "reject"
        else field
        for name, field in schema.fields.items()
    }
    return msgspec.structs.replace(schema, fields=fields, file=None)


def numbers(schema: Schema, events: Sequence[Event], name: str) -> NDArray[np.float64]:
    """A numeric field as numbers, (n,); of a date the days until the event. NaN where missing."""
    field, values = schema.fields[name], list(map(schema.getter(name), events))
    if isinstance(field, Date):
        pairs = zip(values, events, strict=True)
        days = [np.nan if day is None else (e.event_ts.date() - day).days for day, e in pairs]
        return np.array(days, dtype=np.float64)
    found = np.array(values, dtype=np.float64)  # None becomes NaN
    if isinstance(field.missing, MissingRule):
        found[np.isnan(found)] = field.missing.counts_as
    return found


def number_columns(
    schema: Schema, events: Sequence[Event], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Numeric fields as numbers, (n,) each, as `numbers` has them; several at once are faster."""
    at_once = [n for n in names if schema.fields[n].missing == "reject" and not _is_date(schema, n)]
    found = {name: numbers(schema, events, name) for name in names if name not in at_once}
    if len(at_once) > 1:
        get = attrgetter(*(schema.attributes[name] for name in at_once))
        values = chain.from_iterable(map(get, events))
        table = np.fromiter(values, np.float64, len(events) * len(at_once))
        found |= zip(at_once, table.reshape(len(events), len(at_once)).T, strict=True)
    else:
        found |= {name: numbers(schema, events, name) for name in at_once}
    return {name: found[name] for name in names}


def _is_date(schema: Schema, name: str) -> bool:
    return isinstance(schema.fields[name], Date)


def texts(schema: Schema, events: Sequence[Event], name: str) -> list[str]:
    """A categorical field as texts; "" where missing."""
    return [plain(value) or "" for value in map(schema.getter(name), events)]


def feature_table(schema: Schema, events: Sequence[Event]) -> FeatureTable:
    """The features of events in the form in which our own kinds of models are fitted."""
    numeric = {name: numbers(schema, events, name) for name in schema.numeric}
    return FeatureTable(
        numeric, {name: _words(schema, events, name) for name in schema.categorical}
    )


def _words(schema: Schema, events: Sequence[Event], name: str) -> Texts:
    values = np.empty(len(events), dtype=np.object_)
    values[:] = [plain(value) for value in map(schema.getter(name), events)]
    return values


def frame(schema: Schema, events: Sequence[Event]) -> "pd.DataFrame":
    """The raw features of events, a row each, in the order of the events.

    Returns:
        (n, fields): numbers as float64, a missing one NaN; dates as days until the event; texts as
        they are, in columns of dtype object; flags as the schema writes them.
    """
    import pandas as pd

    columns = {name: _column(schema, events, name) for name in schema.fields}
    return pd.DataFrame(columns, copy=False)


def _column(
    schema: Schema, events: Sequence[Event], name: str
) -> "pd.Series[float] | pd.Series[str]":
    import pandas as pd

    if name in schema.numeric:
        return pd.Series(np.clip(numbers(schema, events, name), -_LARGEST, _LARGEST))
    values = list(map(schema.getter(name), events))
    field = schema.fields[name]
    if isinstance(field, Boolean) and not isinstance(written(field)[0], str):
        return pd.Series(np.array(values, dtype=np.float64))
    # Plain objects: to build pandas' own text type costs more than the encoder gains by it.
    return pd.Series(values, dtype=object)


def _distinct(schema: Schema, events: Sequence[Event], name: str) -> set[str]:
    return {value for value in map(schema.getter(name), events) if value is not None}

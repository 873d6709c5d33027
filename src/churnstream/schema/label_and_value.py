"""What an event says of who has left, and of what a customer is worth."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from churnstream.schema.fields import Boolean
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Label, Schema
from churnstream.schema.values import as_number, plain, read

# A worth may be any finite number; capped here, no sum of them can become infinite, which JSON
# does not have.
_MAX_WORTH = 1e290
_YES_NO = Boolean(missing="allow")


def has_left(label: Label, raw: object) -> bool | None:
    """Whether a label says that the customer has left; None where it says nothing.

    `1`, `1.0`, `"1"`, `true` and `Yes` are one label, and so are their opposites. Where a blank
    means that somebody stayed, whatever says nothing does.
    """
    text = _one_text(raw)
    if text is None:
        return False if label.stayed == "" else None
    if text == _one_text(label.churned):
        return True
    if label.stayed is None or text == _one_text(label.stayed):
        return False
    return None


def _one_text(raw: object) -> str | None:
    """What is the same for all that means the same; None for what is missing or no label."""
    flag = read(_YES_NO, raw)
    if flag is None:
        return None
    if isinstance(flag, int):
        return str(flag)
    number = as_number(raw)
    text = plain(raw if number is None else float(number))
    return None if text is None else text.strip().casefold()


def label_reader(schema: Schema) -> Callable[[Event], bool | None]:
    """Takes an event; whether its customer has left, None where it does not say."""
    label = schema.label
    if label is None:
        return lambda _: None
    get = schema.getter(label.field)
    read_one = lru_cache(maxsize=1000)(partial(has_left, label))

    def read_label(event: Event) -> bool | None:
        raw = get(event)
        return read_one(raw if isinstance(raw, str | int | float) else None)

    return read_label


def worth_of(schema: Schema, events: Sequence[Event]) -> NDArray[np.float64] | None:
    """What each customer is worth a month, (n,), at most 1e290; None: customers are counted."""
    if schema.value is None:
        return None
    if isinstance(schema.value, float):
        return np.full(len(events), min(schema.value, _MAX_WORTH))
    found = np.array(list(map(schema.getter(schema.value), events)), dtype=np.float64)
    worth: NDArray[np.float64] = np.clip(np.nan_to_num(found, nan=0.0), 0, _MAX_WORTH)
    return worth

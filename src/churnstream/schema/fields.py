"""The fields of a customer, by type, as a schema file describes them.

A field says what it holds, not how it is written: `1`, `1.0`, `"1"` are one whole number, and
`true`, `Yes`, `1` one flag, wherever they come from (see `churnstream.schema.values`).
"""

import sys
from datetime import date
from typing import Annotated, Literal

import msgspec

from churnstream.schema.dates import Order

LARGEST_INTEGER = 2**63 - 1
LARGEST_NUMBER = sys.float_info.max

Value = str | int | float | date | None
"""What an event holds in a field; None where it is missing."""


class MissingRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a missing value of a field means, and where it may be missing at all.

    Attributes:
        counts_as: The number that stands for it.
        only_where: By another field, the value that an event must have there.
    """

    counts_as: float
    only_where: dict[str, str] = {}


class Field(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """What every type of field has.

    Attributes:
        missing: Whether a value may be missing; a rule where that is not all there is to say.
        words: How a reason speaks of it: one phrase in which `{value}` stands for the value, or a
            phrase by value, `"*"` being every other one. None: made from the field's name.
    """

    missing: Literal["reject", "allow"] | MissingRule = "reject"
    words: str | dict[str, str] | None = None

    @property
    def may_be_missing(self) -> bool:
        """Whether an event without a value may be scored."""
        return self.missing != "reject"


class Integer(Field, frozen=True, tag="integer"):
    """Whole numbers, from `min` to `max`."""

    min: Annotated[int, msgspec.Meta(ge=-LARGEST_INTEGER - 1, le=LARGEST_INTEGER)] = (
        -LARGEST_INTEGER - 1
    )
    max: Annotated[int, msgspec.Meta(ge=-LARGEST_INTEGER - 1, le=LARGEST_INTEGER)] = LARGEST_INTEGER


class Number(Field, frozen=True, tag="number"):
    """Finite numbers, from `min` to `max`."""

    min: float = -LARGEST_NUMBER
    max: float = LARGEST_NUMBER


class Category(Field, frozen=True, tag="category"):
    """Texts of which many customers share one.

    Attributes:
        values: All that there are; None: those that the model was trained on.
        unknown: What becomes of another one: the event is rejected, or it counts as "other".
    """

    values: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None
    unknown: Literal["reject", "other"] = "reject"


class Boolean(Field, frozen=True, tag="boolean"):
    """Yes or no.

    Attributes:
        values: How our own events write no and yes. Numbers and true and false are written as
            such. Whatever means yes or no is read.
    """

    values: tuple[str, str] = ("0", "1")


class Date(Field, frozen=True, tag="date"):
    """Days; a model sees how many lie between it and the event.

    Attributes:
        order: What comes first where a date is written in numbers, as in 31.12.2026.
    """

    order: Order = "year-first"


AnyField = Integer | Number | Category | Boolean | Date
Numeric = Integer | Number


def written(flag: Boolean) -> tuple[Value, Value]:
    """How no and yes stand in an event: as a number or a JSON literal if they look like one."""
    no, yes = flag.values
    if {no, yes} == {"0", "1"}:
        return int(no), int(yes)
    if {no, yes} == {"false", "true"}:
        return no == "true", yes == "true"
    return no, yes


def known_values(field: AnyField) -> tuple[Value, ...]:
    """What may stand in a field of words, as events hold it; None is the last if it may miss."""
    known: tuple[Value, ...] = ()
    if isinstance(field, Boolean):
        known = written(field)
    elif isinstance(field, Category):
        known = field.values or ()
    return (*known, None) if field.may_be_missing else known

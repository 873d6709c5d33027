"""The types of the events and predictions that a schema makes.

That of events is a msgspec Struct, so that a decoder made for it checks types, bounds and closed
sets of values in compiled code. What it accepts means the same to `churnstream.schema.values`,
which reads more: a number that stands as text, for example.
"""

from datetime import date
from functools import lru_cache
from inspect import getdoc
from typing import Annotated, Any, Literal

import msgspec

from churnstream.records.prediction import Prediction
from churnstream.records.wire_types import EVENT_TS, Timestamp
from churnstream.schema.fields import (
    AnyField,
    Boolean,
    Category,
    Date,
    Integer,
    Number,
    written,
)
from churnstream.schema.schema import Schema

Event = Any
"""An event of some schema: a Struct of `event_type`."""


@lru_cache(maxsize=16)
def event_type(schema: Schema, *, closed: bool = True) -> type[msgspec.Struct]:
    """The type of the events of a schema.

    Its attributes are the id, the fields, `event_ts`, and the label, see `Schema.attributes`. The
    label is whatever stands there, for it must never be why an event is not scored. A field that
    may be missing is `UNSET` where it is left out, so that a decoder's user can tell it from null.

    Args:
        closed: Whether a category must be one of those that the schema lists.
    """
    names = schema.attributes
    members: list[tuple[Any, ...]] = [
        (names[schema.id], Annotated[str, msgspec.Meta(min_length=1)]),
        *((names[n], _type_of(field, closed=closed)) for n, field in schema.fields.items()),
        (EVENT_TS, Timestamp),
    ]
    optional = {names[n] for n, field in schema.fields.items() if field.missing == "allow"}
    members = [(*m, msgspec.UNSET) if m[0] in optional else m for m in members]
    if schema.label:
        members.append((names[schema.label.field], Any, None))
    return msgspec.defstruct(
        "CustomerEvent",
        members,
        frozen=True,
        gc=False,
        omit_defaults=True,
        kw_only=True,
        rename={attribute: name for name, attribute in names.items()},
    )


@lru_cache(maxsize=16)
def prediction_type(schema: Schema) -> type[msgspec.Struct]:
    """The type of the predictions of a schema: `Prediction`, behind the customer's ID."""
    attribute = schema.attributes[schema.id]
    members: list[tuple[Any, ...]] = [(attribute, str)]
    for field in msgspec.structs.fields(Prediction):
        default = () if field.default is msgspec.NODEFAULT else (field.default,)
        members.append((field.name, field.type, *default))
    return msgspec.defstruct(
        "Prediction",
        members,
        namespace={"__doc__": getdoc(Prediction)},
        frozen=True,
        gc=False,
        omit_defaults=True,
        rename={attribute: schema.id},
    )


def _type_of(field: AnyField, *, closed: bool) -> object:
    """What a decoder checks; a missing value is None where there may be one."""
    found = _present(field, closed=closed)
    if field.missing == "allow":
        return found | msgspec.UnsetType | None
    return found | None if field.may_be_missing else found


def _present(field: AnyField, *, closed: bool) -> Any:  # noqa: ANN401  # a type
    match field:
        case Integer():
            return Annotated[int, msgspec.Meta(ge=field.min, le=field.max)]
        case Number():
            return Annotated[float, msgspec.Meta(ge=field.min, le=field.max)]
        case Category():
            is_closed = closed and field.values and field.unknown == "reject"
            return Literal[field.values] if is_closed else str
        case Boolean():
            no, yes = written(field)
            return bool if isinstance(no, bool) else Literal[no, yes]
        case Date():
            return date

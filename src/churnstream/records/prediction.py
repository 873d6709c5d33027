"""The score of one event, and why."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.record_types import Offset, Partition, Timestamp
from churnstream.schema.schema import EVENT_TS, Schema

_ABOUT = """The score of one event, traceable to it by its source partition and offset.

Attributes:
    churn_probability: 0 to 1.
    prediction: "Yes" where the probability reaches the model's threshold.
    event_ts: The event's own time, UTC.
    processed_ts: When its batch was scored, UTC.
    reasons: What moves the risk most, strongest first; only where they were asked for."""

Prediction = Any
"""A prediction for some schema: a Struct of `prediction_type`."""


class ReasonGiven(msgspec.Struct, frozen=True, gc=False):
    """One part of the explanation of a prediction.

    Attributes:
        feature: The field.
        value: What stands in it, as text.
        effect: How far it moves the log-odds of churn, compared to the training population.
        text: The same in words.
    """

    feature: str
    value: str
    effect: float
    text: str


@lru_cache(maxsize=16)
def prediction_type(schema: Schema) -> type[msgspec.Struct]:
    """The type of the predictions of a schema, see `_ABOUT`; the id under the schema's name."""
    members: list[tuple[Any, ...]] = [
        (schema.attributes[schema.id], str),
        ("churn_probability", Annotated[float, msgspec.Meta(ge=0, le=1)]),
        ("prediction", Literal["Yes", "No"]),
        (EVENT_TS, Timestamp),
        ("processed_ts", Timestamp),
        ("model_version", str),
        ("source_partition", Partition),
        ("source_offset", Offset),
        ("reasons", list[ReasonGiven] | None, None),
    ]
    return msgspec.defstruct(
        "Prediction",
        members,
        namespace={"__doc__": _ABOUT},
        frozen=True,
        gc=False,
        omit_defaults=True,
        rename={schema.attributes[schema.id]: schema.id},
    )


def prediction_reader(schema: Schema) -> Callable[[bytes | None], Prediction | None]:
    """Reads the prediction in a record's value; None for what is none. Never raises."""
    decode = msgspec.json.Decoder(prediction_type(schema)).decode

    def read(value: bytes | None) -> Prediction | None:
        try:
            return decode(value or b"")
        except UNDECODABLE:
            return None

    return read

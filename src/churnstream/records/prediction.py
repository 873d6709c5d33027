"""The score of one event, and why: what stands in a prediction, in the order of its fields."""

from typing import Annotated, Literal

import msgspec

from churnstream.records.wire_types import Offset, Partition, Timestamp


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


class Prediction(msgspec.Struct, frozen=True):
    """The score of one event, traceable to it by its source partition and offset.

    Attributes:
        churn_probability: 0 to 1.
        prediction: "Yes" where the probability reaches the model's threshold.
        event_ts: The event's own time, UTC.
        processed_ts: When its batch was scored, UTC.
        reasons: What moves the risk most, strongest first; only where they were asked for.
    """

    # The customer's ID stands before these, under the schema's name: see `prediction_type`. A field
    # that is added here gets its value in `pipeline.scoring`, and no column may have its name.
    churn_probability: Annotated[float, msgspec.Meta(ge=0, le=1)]
    prediction: Literal["Yes", "No"]
    event_ts: Timestamp
    processed_ts: Timestamp
    model_version: str
    source_partition: Partition
    source_offset: Offset
    reasons: list[ReasonGiven] | None = None

"""What a webhook says, and what is kept of it."""

from typing import Annotated, Literal

import msgspec

from churnstream.records.wire_types import Partition, Timestamp


class Notification(msgspec.Struct, frozen=True, gc=False):
    """A customer was predicted "Yes", and was not before; the body of a webhook, as JSON.

    Attributes:
        id: Of the customer.
        reasons: In words, strongest first; none where none were asked for.
        event_ts: The event's own time, UTC.
        processed_ts: When it was scored, UTC.
        notification_id: The same each time that this one is sent, and of no other.
    """

    id: str
    churn_probability: Annotated[float, msgspec.Meta(ge=0, le=1)]
    prediction: Literal["Yes"]
    reasons: list[str]
    event_ts: Timestamp
    processed_ts: Timestamp
    model_version: str
    notification_id: str


class NotifiedCustomer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the topic of notified customers says of one, under the customer's ID as its key.

    Attributes:
        partition: Of the predictions' topic, where the customer's predictions are.
        notified_ts: When the webhook was answered, UTC.
        refused: How it was answered, where the receiver will never take it as it is.
        notification: What was refused, to be sent again.
    """

    partition: Partition
    notification_id: str
    notified_ts: Timestamp
    refused: str | None = None
    notification: Notification | None = None

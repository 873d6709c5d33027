"""What the headers of a dead letter say."""

from typing import Annotated, Literal

import msgspec

from churnstream.records.rejection import Reason
from churnstream.records.wire_types import Offset, Partition, Timestamp

Milliseconds = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # since 1970
TimestampType = Literal["CreateTime", "LogAppendTime"]


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """What the headers of a dead letter say; the record itself stays byte for byte.

    The first seven travel under the names that Kafka Connect made common
    (`__connect.errors.*`), the rest under `churnstream.*`.

    Attributes:
        offset: Of the original in `topic` and `partition`.
        stage: "KEY_CONVERTER", "VALUE_CONVERTER" or "TRANSFORMATION", as in Kafka Connect.
        class_name: The part that rejected it.
        exception_class_name: The kind of rejection.
        message: The rejection in words, beginning with the field.
        reason: One of `REASONS`.
        attempt: 1 for the first rejection, one more for each replay.
        group: The consumer group that rejected it.
        failed_at: When it was rejected, UTC.
        timestamp: The original's, in milliseconds since 1970; unset if it had none. The dead letter
            itself is stamped with the time of its rejection.
        timestamp_type: Who set it: whoever sent the record, or its topic.
    """

    topic: str
    partition: Partition
    offset: Offset
    stage: str
    class_name: str
    exception_class_name: str
    message: str
    reason: Reason
    attempt: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    group: str
    model_version: str
    failed_at: Timestamp
    timestamp: Milliseconds | msgspec.UnsetType = msgspec.UNSET
    timestamp_type: TimestampType | msgspec.UnsetType = msgspec.UNSET

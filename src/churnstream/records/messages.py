"""The three records that travel through Kafka, and their JSON.

A record either is a `CustomerEvent` or yields a `Rejection`, see `churnstream.codecs.decoding`: a
value, not an exception, because a broken record is something to route, not something to stop for.
"""

import json
import sys
from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import msgspec

Reason = Literal[
    "duplicate_field",
    "empty",
    "invalid_value",
    "key_mismatch",
    "missing_field",
    "not_an_object",
    "not_json",
    "not_scorable",
    "not_utf8",
    "out_of_range",
    "too_large",
    "unknown_category",
    "wrong_type",
]
REASONS: tuple[str, ...] = get_args(Reason)

# The upper bound keeps infinity out: JSON has none, but 1e999 would otherwise become one.
Amount = Annotated[float, msgspec.Meta(ge=0, le=sys.float_info.max)]
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]
# As large as Kafka has them: whoever counts by them may keep them in columns of that size.
Partition = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Milliseconds = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # since 1970
TimestampType = Literal["CreateTime", "LogAppendTime"]


class CustomerEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One customer as the Telco data set has it, at one moment.

    Attributes:
        tenure: Months with the company, 0 or more.
        MonthlyCharges: Currency units a month, 0 or more.
        TotalCharges: Currency units so far. Text holding a number is accepted and becomes a
            number; blank or null is accepted when `tenure` is 0 and becomes null.
        event_ts: When the row was observed, RFC 3339 with an offset; becomes UTC.
        Churn: The label, where it is known already.
    """

    customerID: Annotated[str, msgspec.Meta(min_length=1)]
    gender: str
    SeniorCitizen: Literal[0, 1]
    Partner: str
    Dependents: str
    tenure: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    PhoneService: str
    MultipleLines: str
    InternetService: str
    OnlineSecurity: str
    OnlineBackup: str
    DeviceProtection: str
    TechSupport: str
    StreamingTV: str
    StreamingMovies: str
    Contract: str
    PaperlessBilling: str
    PaymentMethod: str
    MonthlyCharges: Amount
    TotalCharges: Amount | str | None
    event_ts: Timestamp
    Churn: Literal["Yes", "No"] | None = None


class ReasonGiven(msgspec.Struct, frozen=True, gc=False):
    """One part of the explanation of a prediction.

    Attributes:
        feature: The column.
        value: What stands in it, as text.
        effect: How far it moves the log-odds of churn, compared to the training population.
        text: The same in words.
    """

    feature: str
    value: str
    effect: float
    text: str


class Prediction(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The score of one event, traceable to it by its source partition and offset.

    Attributes:
        churn_probability: 0 to 1.
        prediction: "Yes" where the probability reaches the model's threshold.
        event_ts: The event's own time, UTC.
        processed_ts: When its batch was scored, UTC.
        reasons: What raises the risk most, strongest first; only where they were asked for.
    """

    customerID: str
    churn_probability: Annotated[float, msgspec.Meta(ge=0, le=1)]
    prediction: Literal["Yes", "No"]
    event_ts: Timestamp
    processed_ts: Timestamp
    model_version: str
    source_partition: Partition
    source_offset: Offset
    reasons: list[ReasonGiven] | None = None


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """Why a record was refused.

    Attributes:
        reason: One of `REASONS`, for filters and counters.
        field: The field at fault, or "key" or "value" for the record as a whole.
        detail: What is wrong with it, in words.
    """

    reason: Reason
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}"


def not_scorable(probability: float) -> Rejection:
    """The rejection of an event to which a model gives a number that is no probability."""
    detail = f"the model gives it no probability from 0 to 1, but {probability}"
    return Rejection("not_scorable", "value", detail)


def too_large(size: int, most: int) -> Rejection:
    """An event whose prediction the output topic would not take: its ID is as long as that.

    Args:
        size: Bytes of the prediction's record.
        most: What the topic takes.
    """
    detail = f"its prediction would take {size:,} bytes, and the output topic takes {most:,}"
    return Rejection("too_large", "customerID", detail)


class RejectionCount:
    """Rejections by reason and field, each with its first example.

    Attributes:
        total: How many there were.
    """

    def __init__(self) -> None:
        self.total = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}

    def add(self, rejection: Rejection, where: str) -> None:
        """Count one.

        Args:
            where: What was rejected, as "row 2".
        """
        kind = (rejection.reason, rejection.field)
        self.total += 1
        self._counts[kind] += 1
        self._examples.setdefault(kind, f"{where}: {rejection.detail[:_DETAIL_LENGTH]}")

    def in_words(self) -> str:
        """All reasons in one line, the most frequent first."""
        return "; ".join(
            f"{count:,} {reason} in {field}, as in {self._examples[reason, field]}"
            for (reason, field), count in self._counts.most_common(_MOST_KINDS)
        )


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """What the headers of a dead letter say; the record itself stays byte for byte.

    The first seven travel under the names that Kafka Connect made common
    (`__connect.errors.*`), the rest under `churnstream.*`.

    Attributes:
        offset: Place of the original in `topic` and `partition`.
        stage: "KEY_CONVERTER", "VALUE_CONVERTER" or "TRANSFORMATION", as in Kafka Connect.
        class_name: The part that refused it.
        exception_class_name: The kind of refusal.
        message: The rejection in words, beginning with the field.
        reason: One of `REASONS`.
        attempt: 1 for the first refusal, one more for each replay.
        group: The consumer group that refused it.
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


DATASET_COLUMNS: tuple[str, ...] = tuple(
    name for name in CustomerEvent.__struct_fields__ if name not in ("event_ts", "Churn")
)

encode = msgspec.json.Encoder().encode
_prediction_decoder = msgspec.json.Decoder(Prediction)
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes that anyone may have written."""
_QUOTED_LENGTH = 40
_DETAIL_LENGTH = 200
_MOST_KINDS = 10  # no broken file has more that somebody would read


def decode_prediction(value: bytes) -> Prediction:
    """Read a prediction that churnstream wrote.

    Raises:
        msgspec.DecodeError: The bytes are no prediction.
    """
    return _prediction_decoder.decode(value)


def read_prediction(value: bytes | None) -> Prediction | None:
    """The prediction in a record, or None for what is none. Never raises."""
    try:
        return _prediction_decoder.decode(value or b"")
    except UNDECODABLE:
        return None


def printable(text: str, most: int = 500) -> str:
    """A text from outside for a terminal or a line of text: shortened, and nothing to obey in it.

    What controls a terminal or turns the direction of writing is shown as an escape.

    Args:
        most: Characters to keep.
    """
    if len(text) <= most and text.isprintable():
        return text
    shown = text[:most]
    if not shown.isprintable():
        escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
        shown = "".join(escaped)
    return shown if max(len(text), len(shown)) <= most else shown[:most] + "..."


def quote(text: str) -> str:
    """A value from outside, shortened and escaped, fit for one line of a header or a log."""
    shown = text if len(text) <= _QUOTED_LENGTH else text[:_QUOTED_LENGTH] + "..."
    return json.dumps(shown, ensure_ascii=True)


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each record type, by its name."""
    return {
        record.__name__: msgspec.json.schema(record)
        for record in (CustomerEvent, Prediction, DeadLetter)
    }

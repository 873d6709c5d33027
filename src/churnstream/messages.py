"""The three records that travel through Kafka, and their JSON.

A record either decodes to a `CustomerEvent` or yields a `Rejection`: a value, not an exception,
because a broken record is something to route, not something to stop for.
"""

import json
import re
import sys
from datetime import UTC, datetime
from math import isfinite
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
    "not_utf8",
    "out_of_range",
    "unknown_category",
    "wrong_type",
]
REASONS: tuple[str, ...] = get_args(Reason)

# The upper bound keeps infinity out: JSON has none, but 1e999 would otherwise become one.
Amount = Annotated[float, msgspec.Meta(ge=0, le=sys.float_info.max)]
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]


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


class Prediction(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The score of one event, traceable to it by its source partition and offset.

    Attributes:
        churn_probability: 0 to 1.
        prediction: "Yes" where the probability reaches the model's threshold.
        event_ts: The event's own time, UTC.
        processed_ts: When its batch was scored, UTC.
    """

    customerID: str
    churn_probability: Annotated[float, msgspec.Meta(ge=0, le=1)]
    prediction: Literal["Yes", "No"]
    event_ts: Timestamp
    processed_ts: Timestamp
    model_version: str
    source_partition: Annotated[int, msgspec.Meta(ge=0)]
    source_offset: Annotated[int, msgspec.Meta(ge=0)]


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
        failed_at: When it was refused, UTC.
    """

    topic: str
    partition: Annotated[int, msgspec.Meta(ge=0)]
    offset: Annotated[int, msgspec.Meta(ge=0)]
    stage: str
    class_name: str
    exception_class_name: str
    message: str
    reason: Reason
    attempt: Annotated[int, msgspec.Meta(ge=1)]
    group: str
    model_version: str
    failed_at: Timestamp


DATASET_COLUMNS: tuple[str, ...] = tuple(
    name for name in CustomerEvent.__struct_fields__ if name not in ("event_ts", "Churn")
)

_decoder = msgspec.json.Decoder(CustomerEvent)
_prediction_decoder = msgspec.json.Decoder(Prediction)
encode = msgspec.json.Encoder().encode

_FIELDS = len(CustomerEvent.__struct_fields__)
_COLONS_IN_A_TIMESTAMP = 2
_QUOTED_LENGTH = 40


def decode_prediction(value: bytes) -> Prediction:
    """Read a prediction that churnstream wrote.

    Raises:
        msgspec.DecodeError: The bytes are no prediction.
    """
    return _prediction_decoder.decode(value)


def decode_event(value: bytes | None, key: bytes | None) -> CustomerEvent | Rejection:
    """Turn a record into an event, or say why it is none. Never raises.

    Args:
        value: The record's value; None for a tombstone.
        key: The record's key, which must be the `customerID` in UTF-8.
    """
    if not value:
        problem = "is null (a tombstone)" if value is None else "is empty"
        return Rejection("empty", "value", f"{problem}; expected a customer as JSON")
    try:
        event = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _explain(value, error)
    if event.customerID.encode("utf-8", "surrogatepass") != key:
        return _key_rejection(key, event.customerID)
    if _may_repeat_a_field(value, event) and (rejection := _check_every_field(value)):
        return rejection
    if type(event.TotalCharges) is float and event.event_ts.tzinfo is UTC:
        return event
    return _normalise(event)


def _may_repeat_a_field(value: bytes, event: CustomerEvent) -> bool:
    """Whether `value` could hold a field twice: one colon a field, and the timestamp's two.

    The decoder keeps the last of repeated fields and passes over unknown ones, both silently.
    Counting colons costs a fraction of a second parse, which only the doubtful records get.
    """
    fields = _FIELDS if event.Churn is not None else _FIELDS - 1
    return value.count(b":") != fields + _COLONS_IN_A_TIMESTAMP or b"\\" in value


def _check_every_field(value: bytes) -> Rejection | None:
    """Parse again, unknown fields included, and report what the typed decoder passed over."""
    try:
        # Integers stay text: Python refuses to convert very long ones, and nobody needs them here.
        pairs = json.loads(value.decode(), object_pairs_hook=list, parse_int=str)
    except (ValueError, RecursionError) as error:
        return _explain(value, error)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return Rejection("duplicate_field", quote(name), "appears more than once")
        seen.add(name)
    return None


def _normalise(event: CustomerEvent) -> CustomerEvent | Rejection:
    """Make `TotalCharges` a number or null and `event_ts` UTC, or say why that cannot be."""
    total = event.TotalCharges
    if isinstance(total, str) and total.strip():
        number = parse_number(total)
        if number is None or number < 0:
            detail = f"expected a number of 0 or more, got the text {quote(total)}"
            return Rejection("invalid_value", "TotalCharges", detail)
        total = number
    elif not isinstance(total, float):
        if event.tenure > 0:
            detail = f"is blank, which only fits tenure 0, not {event.tenure}"
            return Rejection("invalid_value", "TotalCharges", detail)
        total = None
    try:
        event_ts = event.event_ts.astimezone(UTC)
    except OverflowError:
        return Rejection("out_of_range", "event_ts", "is outside the years 1 to 9999 in UTC")
    return msgspec.structs.replace(event, TotalCharges=total, event_ts=event_ts)


_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def parse_number(text: str) -> float | None:
    """The finite number that a text holds, or None; stricter than `float()`: no "nan", no "1_0"."""
    number = float(text) if _NUMBER.fullmatch(text) else None
    return number if number is not None and isfinite(number) else None


def _key_rejection(key: bytes | None, customer_id: str) -> Rejection:
    problem = "is null" if key is None else f"is {quote(key.decode('utf-8', 'replace'))}"
    return Rejection("key_mismatch", "key", f"{problem}; expected customerID {quote(customer_id)}")


_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_AT_FIELD = re.compile(r"(?P<problem>.*) - at `\$\.(?P<field>\w+)`")
_WORDS: dict[str, Reason] = {  # what a decoder's complaint about a field contains
    "got `": "wrong_type",
    "Invalid enum value": "unknown_category",
    "out of range": "out_of_range",
    ">= 0": "out_of_range",
    "<= ": "out_of_range",
}


def _explain(value: bytes, error: Exception) -> Rejection:
    """Translate a decoder's complaint into a rejection that names the field."""
    if isinstance(error, RecursionError):
        return Rejection("not_json", "value", "is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return Rejection("not_utf8", "value", f"is not UTF-8: {error.reason}")
    if isinstance(error, msgspec.ValidationError):
        return _explain_field(str(error))
    if field := _field_that_is_no_number(value):
        return Rejection("out_of_range", field, "is NaN or infinite, which JSON does not have")
    return Rejection("not_json", "value", f"is not JSON: {_plain(str(error))}")


def _explain_field(text: str) -> Rejection:
    if match := _MISSING.match(text):
        return Rejection("missing_field", match["field"], "is missing")
    if match := _AT_FIELD.match(text):
        problem = match["problem"]
        reason: Reason = next((_WORDS[word] for word in _WORDS if word in problem), "invalid_value")
        return Rejection(reason, match["field"], _plain(problem))
    return Rejection("not_an_object", "value", _plain(text))


def _plain(problem: str) -> str:
    problem = problem.replace("`", "").removeprefix("JSON is malformed: ")
    return problem[:1].lower() + problem[1:]


def _field_that_is_no_number(value: bytes) -> str | None:
    """The first field that holds NaN or Infinity, which Python's parser lets through."""
    try:
        pairs: Any = json.loads(value.decode(), object_pairs_hook=list, parse_int=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list):
        return None
    for pair in pairs:
        if isinstance(pair, tuple) and isinstance(pair[1], float) and not isfinite(pair[1]):
            return quote(pair[0]) if pair[0] not in CustomerEvent.__struct_fields__ else pair[0]
    return None


def quote(text: str) -> str:
    """A value from outside, shortened and escaped, fit for one line of a header or a log."""
    shown = text if len(text) <= _QUOTED_LENGTH else text[:_QUOTED_LENGTH] + "…"
    return json.dumps(shown, ensure_ascii=True)


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each record type, by its name."""
    return {
        record.__name__: msgspec.json.schema(record)
        for record in (CustomerEvent, Prediction, DeadLetter)
    }
